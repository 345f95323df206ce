import { HttpError } from "#sdk/errors.ts";
import { formatBytes } from "#sdk/format-bytes.ts";
import type { BuildEvent } from "../buildkit/build-event.ts";
import type { RunNetwork } from "./image-settings.ts";
import type { RunLimits } from "./run-groups.ts";

export type RunExplainer = {
  see(event: BuildEvent): void;
  /** The same failure, with the limit that a `RUN` may have met: programs' own messages do not know it. */
  explain(error: unknown): unknown;
};

/** By SIGKILL, which is how the kernel ends what needs too much memory. */
const KILLED = /exit code: 137\b/;
/** What shells and programs say when they may not start another process. */
const NO_FORK = /cannot fork|can't fork|fork: |\bEAGAIN\b|Resource temporarily unavailable/i;

/** `limits` is absent where none are set. */
export function createRunExplainer(
  network: RunNetwork,
  limits: Partial<RunLimits> = {},
): RunExplainer {
  let couldNotFork = false;
  return {
    see(event) {
      if (event.kind !== "output") return;
      couldNotFork ||= NO_FORK.test(Buffer.from(event.bytes).toString("latin1"));
    },
    explain(error) {
      if (!(error instanceof HttpError) || !/^Step "\[[^"]*\] RUN /.test(error.message))
        return error;
      const hint = findHint(error.message);
      if (hint === undefined) return error;
      const message = `${error.message} (${hint})`;
      return new HttpError(error.status, error.code, message, { cause: error });
    },
  };

  function findHint(message: string): string | undefined {
    const { memoryBytes = 0, processes = 0 } = limits;
    if (memoryBytes > 0 && KILLED.test(message))
      return `killed; a RUN has ${formatBytes(memoryBytes)} of memory here: build_memory_mib`;
    if (processes > 0 && couldNotFork) return `a RUN has ${processes} processes here: build_pids`;
    // Most steps that fail without one install packages, and name a registry only.
    return network === "none" ? "RUN has no network here: build_network" : undefined;
  }
}
