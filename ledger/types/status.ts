import type { RepositoryId } from "./repository.ts";

export type CommitState = "pending" | "success" | "failure" | "error";

/** What a commit should show in one context. */
export type WantedStatus = {
  /** `stack-deploy` or a function's name. */
  readonly context: string;
  readonly state: CommitState;
  /** At most 140 characters; longer ones are cut with an ellipsis when stored. */
  readonly description: string;
  readonly targetUrl: string;
  /** A check run `skipped` where checks are on, nothing at all where they are off. */
  readonly skipped?: boolean;
};

/** A status the source has not been told yet. */
export type UnsentStatus = WantedStatus & {
  readonly repositoryId: RepositoryId;
  readonly sha: string;
  /** Grows with every change; what was sent is recorded by it. */
  readonly version: number;
  readonly attempts: number;
  /** Check run to update, once one was made. */
  readonly checkRunId?: number;
  readonly buildId?: string;
};
