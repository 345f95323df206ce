import { parseArgs } from "node:util";
import { describe } from "#sdk/errors.ts";
import { formatTable } from "./format-report.ts";
import { describeMachine, type Machine } from "./machine.ts";

/** One line of a result. */
export type Measure = {
  readonly what: string;
  readonly value: number;
  readonly unit: "ms" | "s" | "MB" | "requests/s" | "builds/min" | "×" | "count";
  /** How many single measurements are behind the value. */
  readonly samples: number;
  readonly goal?: { readonly atMost: number } | { readonly atLeast: number };
};

export type Options = {
  /** How often everything is measured; values are medians over the rounds or over all that was seen in them. */
  readonly rounds: number;
  /** Shorter waits and smaller counts, to try the program out; never a result. */
  readonly quick: boolean;
  /** What is going on, for people. */
  readonly say: (text: string) => void;
};

export type Benchmark = {
  readonly name: string;
  /** One sentence: what is measured. */
  readonly about: string;
  readonly rounds: number;
  run(options: Options): Promise<readonly Measure[]>;
};

export type Result = {
  readonly name: string;
  readonly about: string;
  readonly rounds: number;
  readonly measures: readonly Measure[];
  /** Why there are no measures. */
  readonly failure?: string;
};

export type Report = {
  readonly v: 1;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly results: readonly Result[];
};

const FLAGS = {
  json: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  rounds: { type: "string" },
  write: { type: "string" },
} as const;

/** Command line of every benchmark: `[names…] [--rounds N] [--quick] [--json] [--write FILE]`. */
export function readArguments(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: FLAGS,
    allowPositionals: true,
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
    throw new Error(`--rounds is "${values.rounds}"; expected a whole number from 1 up.`);
  return { ...values, rounds, names: positionals };
}

export type Arguments = ReturnType<typeof readArguments>;

/** Run benchmarks one after the other; one that fails is told and makes the exit code 1, but the others run. */
export async function runAll(
  benchmarks: readonly Benchmark[],
  { quick, rounds }: Pick<Arguments, "quick" | "rounds">,
): Promise<Report> {
  const machine = await describeMachine();
  const results: Result[] = [];
  for (const benchmark of benchmarks) {
    const say = (text: string) => void process.stderr.write(`${benchmark.name}: ${text}\n`);
    results.push(
      await runOne(benchmark, { rounds: rounds ?? (quick ? 2 : benchmark.rounds), quick, say }),
    );
  }
  return { v: 1, quick, machine, results };
}

async function runOne({ name, about, run }: Benchmark, options: Options): Promise<Result> {
  const { rounds } = options;
  try {
    return { name, about, rounds, measures: await run(options) };
  } catch (error) {
    process.exitCode = 1;
    const failure = describe(error);
    options.say(`failed: ${failure}`);
    return { name, about, rounds, measures: [], failure };
  }
}

/** Run one benchmark as a program of its own. */
export async function runAlone(benchmark: Benchmark): Promise<void> {
  const { json, write, names, ...options } = readArguments(process.argv.slice(2));
  if (write !== undefined || names.length > 0)
    throw new Error(
      "Names and --write are for all.ts; this program takes --rounds, --quick, --json.",
    );
  print(await runAll([benchmark], options), json);
}

export function print(report: Report, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${formatTable(report)}\n`);
}
