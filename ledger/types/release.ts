import type { FunctionDeployment } from "#sdk/messages.ts";
import type { OwnerId } from "./owner.ts";
import type { RepositoryId } from "./repository.ts";
import type { UnixMs } from "./unix-ms.ts";

export type ReleaseState = "declared" | "serving" | "retired" | "failed";

/** What a function is made of: its deployment without image, release and fence, and its image's digest. */
export type Content = { readonly specHash: string; readonly digest: string };

export type Release = {
  /** Hash of owner, function, generation, spec, digest, secrets version. */
  readonly id: string;
  readonly service: string;
  readonly ownerId: OwnerId;
  readonly repositoryId: RepositoryId;
  readonly buildId: string;
  readonly generation: number;
  readonly fence: number;
  readonly specHash: string;
  readonly digest: string;
  /** The complete body of the deploy call. */
  readonly deployment: FunctionDeployment;
  /** What a roll-back took the function away from: a push that brings nothing else leaves it where it is. */
  readonly insteadOf?: Content;
  readonly state: ReleaseState;
  readonly declaredAt: UnixMs;
};

export type ReleaseDraft = Pick<
  Release,
  "id" | "service" | "specHash" | "digest" | "deployment" | "insteadOf"
>;
