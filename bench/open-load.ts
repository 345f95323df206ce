import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadFailure, LoadOptions } from "../test/faults/load.ts";

/** `expect` is the source of a regular expression. */
export type OpenLoadSpec = Omit<LoadOptions, "expect"> & { readonly expect: string };

export type OpenLoadResult = {
  /** Answered otherwise than expected, or not at all. */
  readonly failures: readonly LoadFailure[];
  /** Milliseconds. */
  readonly latencies: readonly number[];
  readonly perSecond: number;
};

/** Ask at a constant rate, whether earlier requests were answered or not, from a process of its own. */
export function startOpenLoad(spec: OpenLoadSpec): { stop(): Promise<OpenLoadResult> } {
  const worker = fileURLToPath(new URL("./open-load-worker.ts", import.meta.url));
  const child = fork(worker, [JSON.stringify(spec)]);
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`The load's process ended with ${code}.`);
  });
  gone.catch(() => undefined);

  return {
    async stop() {
      const answered = once(child, "message");
      child.send("stop");
      const [result] = await Promise.race([answered, gone]);
      return result as OpenLoadResult;
    },
  };
}
