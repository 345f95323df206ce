import type { TerminalBuildState } from "#sdk/messages.ts";
import type { OwnerId } from "./owner.ts";
import type { Plan } from "./plan.ts";
import type { RepositoryId } from "./repository.ts";
import type { UnixMs } from "./unix-ms.ts";

export type BuildState =
  | "accepted"
  | "planned"
  | "building"
  | "built"
  | "deploying"
  | TerminalBuildState;

export type Build = {
  /** URL-safe, time-ordered. */
  readonly id: string;
  readonly repositoryId: RepositoryId;
  readonly ownerId: OwnerId;
  readonly branch: string;
  readonly sha: string;
  /** Order of pushes on a branch; the newest wins. */
  readonly generation: number;
  readonly state: BuildState;
  /** Why the state is what it is, for people; empty while nothing is to be said. */
  readonly reason: string;
  readonly acceptedAt: UnixMs;
  readonly startedAt?: UnixMs;
  readonly endedAt?: UnixMs;
  readonly attempts: number;
  readonly plan?: Plan;
};

/** All that are named hold. */
export type BuildFilter = Partial<Pick<Build, "ownerId" | "repositoryId" | "branch" | "sha">> & {
  readonly limit: number;
};

/** A worker's right to write about a build; void once the epoch has moved on. */
export type Claim = { readonly build: Build; readonly epoch: number };
