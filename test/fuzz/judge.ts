import { getHeapStatistics } from "node:v8";
import { describe } from "#sdk/errors.ts";
import type { Parser } from "./parser.ts";

/** More of either is a finding: a parser answers, or refuses, at once. */
const TIME_LIMIT_MS = 1_000;
const MEMORY_LIMIT_BYTES = 256 * 1024 ** 2;

export type Verdict =
  | { readonly kind: "fine"; readonly shape: string }
  /** `id` is the same for the same fault. */
  | { readonly kind: "finding"; readonly id: string; readonly why: string };

/** Have a parser read one input, and look at what it throws, how long it computes and what it allocates. */
export async function judge(parser: Parser, input: Buffer): Promise<Verdict> {
  try {
    const first = await measure(parser, input);
    if (first.ms <= TIME_LIMIT_MS && first.bytes <= MEMORY_LIMIT_BYTES)
      return { kind: "fine", shape: first.shape };
    // What is slow or large once may have loaded or compiled something.
    const { shape, ms, bytes } = await measure(parser, input);
    if (ms > TIME_LIMIT_MS)
      return { kind: "finding", id: "slow", why: `it took ${ms} ms of one core` };
    if (bytes > MEMORY_LIMIT_BYTES)
      return { kind: "finding", id: "memory", why: `it allocated ${bytes} bytes` };
    return { kind: "fine", shape };
  } catch (error) {
    return { kind: "finding", id: placeOf(error), why: describe(error) };
  }
}

async function measure(parser: Parser, input: Buffer) {
  const cpu = process.threadCpuUsage();
  const before = allocated();
  const shape = await parser.read(input);
  const { user, system } = process.threadCpuUsage(cpu);
  return { shape, ms: Math.round((user + system) / 1_000), bytes: allocated() - before };
}

function allocated(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** Kind of the error and where it was thrown, without the words that tell of the input. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(typeof error);
  const message = error.message.replace(/"(?:[^"\\]|\\.)*"?/gs, "…").slice(0, 60);
  const place = /\n\s+at .*?([\w.-]+:\d+):\d+/.exec(error.stack ?? "")?.[1] ?? "";
  return `${error.name} ${message.replace(/\d+/g, "N")} ${place}`;
}
