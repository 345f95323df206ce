import type { GithubApps } from "#sdk/github-app.ts";

/** What of a repository says where its source is. */
type Place = {
  /** `<scm>:<numeric id>`. */
  readonly id: string;
  readonly fullName: string;
  readonly installationId: number;
};

/** The commit a branch is at, `undefined` when the branch or the repository is gone. */
export type ReadHead = (repository: Place, branch: string) => Promise<string | undefined>;

type Answer = { readonly etag: string; readonly sha: string };

/** Ask the source, with the ETag of its last answer: "not modified" costs nothing of the rate limit. */
export function createReadHead(apps: GithubApps): ReadHead {
  const known = new Map<string, Answer>();

  return async function readHead(repository, branch) {
    const [owner = "", repo = ""] = repository.fullName.split("/");
    const scm = repository.id.slice(0, repository.id.indexOf(":"));
    const client = await apps.installation(scm, repository.installationId);
    const key = `${repository.id} ${branch}`;
    const last = known.get(key);
    try {
      const { data, headers } = await client.request("GET /repos/{owner}/{repo}/git/ref/{ref}", {
        owner,
        repo,
        ref: `heads/${branch}`,
        headers: last === undefined ? {} : { "if-none-match": last.etag },
      });
      const { sha } = data.object;
      if (headers.etag !== undefined) known.set(key, { etag: headers.etag, sha });
      return sha;
    } catch (error) {
      const status = error instanceof Error && "status" in error ? error.status : undefined;
      if (status === 304) return last?.sha;
      if (status === 404) return undefined;
      throw error;
    }
  };
}
