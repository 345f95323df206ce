import type { OwnerId } from "./owner.ts";

/** `<scm>:<numeric id>` of a repository. */
export type RepositoryId = string;

export type Repository = {
  readonly id: RepositoryId;
  readonly ownerId: OwnerId;
  readonly name: string;
  /** `<login>/<name>`. */
  readonly fullName: string;
  readonly cloneUrl: string;
  /** Web page of the repository. */
  readonly url: string;
  readonly private: boolean;
  readonly defaultBranch: string;
  readonly installationId: number;
};
