import type { Repository } from "#ledger/types/repository.ts";
import type { WantedStatus } from "#ledger/types/status.ts";
import type { InstallationClient } from "#sdk/github-app.ts";

/** POST one commit status; GitHub keeps every one and shows the newest of a context. */
export async function sendCommitStatus(
  client: InstallationClient,
  repository: Repository,
  sha: string,
  status: WantedStatus,
): Promise<void> {
  await client.request("POST /repos/{owner}/{repo}/statuses/{sha}", {
    ...splitName(repository),
    sha,
    state: status.state,
    context: status.context,
    description: status.description,
    target_url: status.targetUrl,
  });
}

/** What the source shows: the newest state and description of each context. */
export async function readCommitStatuses(
  client: InstallationClient,
  repository: Repository,
  sha: string,
): Promise<ReadonlyMap<string, { readonly state: string; readonly description: string }>> {
  const { data } = await client.request("GET /repos/{owner}/{repo}/commits/{ref}/status", {
    ...splitName(repository),
    ref: sha,
    per_page: 100,
  });
  return new Map(
    data.statuses.map(({ context, state, description }) => [
      context,
      { state, description: description ?? "" },
    ]),
  );
}

/** `owner` and `repo` of GitHub's routes. */
export function splitName({ fullName }: Repository): { owner: string; repo: string } {
  const [owner = "", repo = ""] = fullName.split("/");
  return { owner, repo };
}
