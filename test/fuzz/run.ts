import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { keep } from "./corpus.ts";
import { COUNT, CURRENT_BYTES, HEADER_BYTES, LENGTH, type Order, type Told } from "./messages.ts";
import { PARSERS } from "./parsers.ts";

/** Longest turn of one parser, and longest silence of one input before its thread is ended. */
const TURN_MS = 60_000;
const HANG_MS = 30_000;
/** Heap of a thread, with the fuzzer's own maps; a parser that needs more ends it. */
const HEAP_MIB = 512;

type Total = {
  inputs: number;
  kept: number;
  seconds: number;
  findings: Told["findings"][number][];
};

/** `node test/fuzz/run.ts [--minutes 60] [--parser stack] [--seed 1]` */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    parser: { type: "string", multiple: true, default: Object.keys(PARSERS) },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);
const totals = new Map<string, Total>();

const wholeMs = Number(values.minutes) * 60_000;
const rounds = Math.max(1, Math.ceil(wholeMs / values.parser.length / TURN_MS));
const turnMs = wholeMs / values.parser.length / rounds;
say(`seed ${values.seed}: ${rounds} rounds of ${Math.round(turnMs / 1_000)} s for each parser`);
for (let round = 0; round < rounds; round += 1)
  for (const parser of values.parser) add(parser, await fuzz(parser, Number(values.seed) + round));
say(JSON.stringify(Object.fromEntries(totals), null, 2));
if ([...totals.values()].some(({ findings }) => findings.length > 0)) process.exitCode = 1;

/** One turn in a thread of its own, which may hang or run out of memory. */
async function fuzz(parser: string, seed: number): Promise<Told> {
  const current = new SharedArrayBuffer(HEADER_BYTES + CURRENT_BYTES);
  const order: Order = { parser, seed, ms: turnMs, current };
  const thread = new Worker(join(import.meta.dirname, "thread.ts"), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  const told = new Promise<Told>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("the thread ended early")));
  });
  const stopped = new AbortController();
  try {
    return await Promise.race([told, watch(current, stopped.signal)]);
  } catch (error) {
    return leftBy(parser, current, error);
  } finally {
    stopped.abort();
    await thread.terminate();
  }
}

/** Rejects when one input takes far too long. */
async function watch(current: SharedArrayBuffer, signal: AbortSignal): Promise<never> {
  const counters = new Int32Array(current, 0, 2);
  let [last, since] = [-1, performance.now()];
  for (;;) {
    const count = Atomics.load(counters, COUNT);
    if (count !== last) [last, since] = [count, performance.now()];
    if (performance.now() - since > HANG_MS && count > 0)
      throw new Error(`it hung for ${HANG_MS / 1_000} s`);
    await sleep(500, undefined, { signal });
  }
}

/** The input that was in hand when its thread died. */
async function leftBy(parser: string, current: SharedArrayBuffer, error: unknown): Promise<Told> {
  const counters = new Int32Array(current, 0, 2);
  const input = Buffer.from(new Uint8Array(current, HEADER_BYTES, counters[LENGTH]));
  const why = error instanceof Error ? error.message : String(error);
  const name = await keep(parser, "finding", input);
  return { inputs: counters[COUNT] ?? 0, kept: 0, findings: [{ name, why }] };
}

function add(parser: string, { inputs, kept, findings }: Told): void {
  const total = totals.get(parser) ?? { inputs: 0, kept: 0, seconds: 0, findings: [] };
  totals.set(parser, {
    inputs: total.inputs + inputs,
    kept: total.kept + kept,
    seconds: total.seconds + Math.round(turnMs / 1_000),
    findings: [...total.findings, ...findings],
  });
  say(`${new Date().toISOString()} ${parser}: ${inputs} inputs, ${kept} kept`);
  for (const { name, why } of findings) say(`  FINDING ${parser}/${name}: ${why.slice(0, 300)}`);
}
