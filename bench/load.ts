import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { putFirst } from "./processes.ts";

export type Target =
  | { readonly host: string; readonly port: number }
  /** Path of a Unix socket. */
  | { readonly path: string };

export type LoadSpec = {
  readonly target: Target;
  /** Path of the GET request. */
  readonly path: string;
  readonly connections: number;
  readonly durationMs: number;
  /** Requests a second over all connections; without it each connection asks as soon as it was answered. */
  readonly rate?: number;
};

export type LoadResult = {
  /** Answered with 200. */
  readonly requests: number;
  /** Answered otherwise. */
  readonly refused: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
};

/**
 * Ask over keep-alive connections from a process of its own, one request at a time on each. Not autocannon:
 * it counts latencies in whole milliseconds, and here a tenth of one is a goal.
 * Throws when a connection breaks or nothing is answered.
 */
export async function runLoad(spec: LoadSpec, core?: number): Promise<LoadResult> {
  const worker = fileURLToPath(new URL("./load-worker.ts", import.meta.url));
  const child = fork(worker, [JSON.stringify({ ...spec, core })], { detached: true });
  if (spec.rate !== undefined) await putFirst(child.pid ?? 0);
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`The load's process ended with ${code}.`);
    }),
  ]);
  return message as LoadResult;
}
