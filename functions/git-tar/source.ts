import type { Build } from "#ledger/types/build.ts";
import type { Plan, PlannedFunction } from "#ledger/types/plan.ts";

export type Planned = {
  readonly plan: Plan;
  /** What stack.yml asked for and does not get, one sentence each. */
  readonly notes: readonly string[];
};

/** A repository at its source, as one build sees it. */
export type Source = {
  /** The branch's newest commit, `undefined` when the branch is gone. Throws what a later attempt may mend. */
  readHead(branch: string, signal: AbortSignal): Promise<string | undefined>;
  /** Bring the commit into the mirror; a no-op when it is there. Throws BuildFailed when it is gone. */
  fetchCommit(sha: string, signal: AbortSignal): Promise<void>;
  /** Read stack.yml of the build's commit. Throws BuildFailed with the refusal's reason. */
  plan(build: Build, signal: AbortSignal): Promise<Planned>;
  /** The tar of one function, streamed from the object database. */
  packContext(
    build: Build,
    planned: PlannedFunction,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>>;
};
