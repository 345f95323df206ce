import { expressionsOf, type GitObject, readObjects } from "../git/read-objects.ts";
import type { Repository } from "../store/repositories.ts";
import type { ApiTools } from "./api-tools.ts";
import { GithubError } from "./github-error.ts";

/** The commit that a branch, tag or id means; 422 when there is none, as on GitHub. */
export function createFindCommit({ git, folderOf }: Pick<ApiTools, "git" | "folderOf">) {
  return async function findCommit(repository: Repository, ref: string): Promise<GitObject> {
    const names = expressionsOf(ref).map((name) => `${name}^{commit}`);
    const found = names.length === 0 ? [] : await readObjects(git, folderOf(repository.id), names);
    const commit = found.find((object) => object?.type === "commit");
    if (commit === undefined) throw new GithubError(422, `No commit found for SHA: ${ref}`);
    return commit;
  };
}
