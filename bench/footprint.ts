import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Benchmark, type Measure, runAlone } from "./benchmark.ts";
import { listTree, type Process, pssOf } from "./processes.ts";
import { listQueues } from "./queues.ts";
import { median } from "./statistics.ts";
import { withPlatform } from "./with-platform.ts";

const main = join(import.meta.dirname, "../cli/main.ts");
/** Megabytes. */
const GOAL_WITH_REDIS = 150;
const SAMPLE_MS = 1_000;

export const footprint: Benchmark = {
  name: "footprint",
  about:
    "Memory of an idle platform without functions, 20 s after `ready` of its second start, as `./ofc up` starts it: proportional set size (PSS) over all its processes, which run on a copy of Node's file of their own, so that no other Node process on the machine carries a share of it.",
  rounds: 10,
  async run({ rounds, quick, say }) {
    const folder = await mkdtemp(join(tmpdir(), "ofc-bench-node-"));
    try {
      await copyFile(process.execPath, join(folder, "node"));
      const measures: Measure[] = [];
      for (const { name, env } of listQueues()) {
        const samples = await measureIdle(folder, env, rounds, quick ? 5_000 : 20_000);
        say(`${name}: ${Math.round(median(samples.map(sumOf)) / 1e6)} MB`);
        measures.push(...report(name, samples));
      }
      return measures;
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** Bytes by what a process is. */
type Sample = ReadonlyMap<string, number>;

/** `folder` holds the Node to run on. */
async function measureIdle(
  folder: string,
  given: Readonly<Record<string, string>>,
  rounds: number,
  settleMs: number,
): Promise<Sample[]> {
  const env = { ...given, PATH: `${folder}${delimiter}${process.env.PATH}` };
  // What a start has to strip and compile, it keeps in memory; the next one finds it in the cache.
  await withPlatform({ env }, async () => {});
  return withPlatform({ env }, async ({ platform }) => {
    await sleep(settleMs);
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++) {
      await sleep(SAMPLE_MS);
      samples.push(await sample(platform.pid));
    }
    return samples;
  });
}

async function sample(pid: number): Promise<Sample> {
  const sizes = new Map<string, number>();
  for (const process of await listTree(pid)) {
    const role = roleOf(process);
    sizes.set(role, (sizes.get(role) ?? 0) + (await pssOf(process.pid)));
  }
  return sizes;
}

/** The program file of a Node process tells what it is. */
function roleOf({ command }: Process): string {
  const script = command.find((word) => word.endsWith("main.ts"));
  if (script === undefined) return basename(command[0] ?? "ended").split(" ")[0] ?? "";
  return script === main
    ? "platform"
    : script.slice(join(main, "../..").length + 1, -"/main.ts".length);
}

function sumOf(sample: Sample): number {
  return [...sample.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function report(queue: string, samples: readonly Sample[]): Measure[] {
  const roles = [...new Set(samples.flatMap((sample) => [...sample.keys()]))].sort();
  const megabytes = (what: string, of: (sample: Sample) => number): Measure => ({
    what: `${queue}: ${what}, median`,
    value: median(samples.map(of)) / 1e6,
    unit: "MB",
    samples: samples.length,
  });
  const goal = queue === "Redis" ? { goal: { atMost: GOAL_WITH_REDIS } } : {};
  return [
    { ...megabytes("all processes", sumOf), ...goal },
    ...roles.map((role) => megabytes(`of which ${role}`, (sample) => sample.get(role) ?? 0)),
  ];
}

if (import.meta.main) await runAlone(footprint);
