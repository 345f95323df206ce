import { parentPort, workerData } from "node:worker_threads";
import { createRandom } from "../faults/random.ts";
import { drop, type Kept, keep, readCorpus } from "./corpus.ts";
import { startCoverage } from "./coverage.ts";
import { judge } from "./judge.ts";
import { COUNT, HEADER_BYTES, LENGTH, type Order, type Told } from "./messages.ts";
import { mutate } from "./mutate.ts";
import type { Parser } from "./parser.ts";

/** Larger inputs are tried, but not kept: the corpus stays small. */
const KEPT_BYTES = 1_500;
/** Inputs that are measured together: measuring takes longer than most inputs. */
const BATCH = { least: 8, most: 1_024 };

const order = workerData as Order;
const counters = new Int32Array(order.current, 0, 2);
const current = new Uint8Array(order.current, HEADER_BYTES);
const coverage = startCoverage((url) => url.startsWith("file:") && !/\/test\/fuzz\//.test(url));
const { PARSERS } = await import("./parsers.ts");
const parser = await load(order.parser);
const { dictionary } = parser;

const random = createRandom(order.seed);
const shapes = new Set<string>();
const faults = new Set<string>();
const findings: { name: string; why: string }[] = [];
const corpus: Buffer[] = [];
let inputs = 0;
let kept = 0;

await readKept();
const end = performance.now() + order.ms;
let size: number = BATCH.least;
while (performance.now() < end) {
  const batch = Array.from({ length: size }, () => mutate(random, { dictionary, corpus }));
  const before = kept;
  await locate(batch, true);
  size = kept > before ? BATCH.least : Math.min(BATCH.most, size * 2);
}
parentPort?.postMessage({ inputs, kept, findings } satisfies Told);

/** Know what the corpus reaches; of what was found, only what reaches something that shorter inputs do not is left. */
async function readKept(): Promise<void> {
  const all = await readCorpus(order.parser);
  const ours = (kept: Kept) => !kept.name.startsWith("found-");
  for (const one of [...all.filter(ours), ...all.filter((one) => !ours(one))]) {
    const isNewShape = await read(one.input);
    if (coverage.hasGrown() || isNewShape || ours(one)) corpus.push(one.input);
    else await drop(order.parser, one.name);
  }
  if (corpus.length === 0) corpus.push(Buffer.from(random.pick(dictionary)));
}

/** Read a batch, and halve it until the inputs that reach something new stand alone. */
async function locate(batch: readonly Buffer[], counts: boolean): Promise<void> {
  let hasNewShape = false;
  const known = new Set(shapes);
  for (const input of batch) hasNewShape = (await read(input, counts)) || hasNewShape;
  const [only] = batch;
  if (batch.length === 1 && only !== undefined) {
    if (!coverage.hasGrown() && !hasNewShape) return;
    if (only.length > KEPT_BYTES) return;
    corpus.push(only);
    await keep(order.parser, "found", only);
    kept += 1;
    return;
  }
  if (!coverage.wouldGrow() && !hasNewShape) return;
  // The halves shall find the new shapes themselves.
  shapes.clear();
  for (const shape of known) shapes.add(shape);
  await locate(batch.slice(0, batch.length / 2), false);
  await locate(batch.slice(batch.length / 2), false);
}

/** Whether the input's outcome has a shape that none had before. */
async function read(input: Buffer, counts = true): Promise<boolean> {
  current.set(input.subarray(0, current.length));
  counters[LENGTH] = input.length;
  Atomics.add(counters, COUNT, 1);
  if (counts) inputs += 1;
  const verdict = await judge(parser, input);
  if (verdict.kind === "fine") {
    const isNew = !shapes.has(verdict.shape);
    shapes.add(verdict.shape);
    return isNew;
  }
  if (faults.has(verdict.id)) return false;
  faults.add(verdict.id);
  const shown = await shrink(input, verdict.id);
  findings.push({ name: await keep(order.parser, "finding", shown), why: verdict.why });
  return false;
}

/** The shortest input that still shows the same fault, as far as leaving pieces out leads. */
async function shrink(input: Buffer, id: string): Promise<Buffer> {
  let shortest = input;
  for (let piece = Math.ceil(input.length / 2); piece >= 1; piece = Math.floor(piece / 2)) {
    for (let at = 0; at < shortest.length; ) {
      const shorter = Buffer.concat([shortest.subarray(0, at), shortest.subarray(at + piece)]);
      const verdict = await judge(parser, shorter);
      if (verdict.kind === "finding" && verdict.id === id) shortest = shorter;
      else at += piece;
    }
  }
  return shortest;
}

async function load(name: string): Promise<Parser> {
  const open = PARSERS[name];
  if (open === undefined) throw new Error(`There is no parser "${name}".`);
  return open();
}
