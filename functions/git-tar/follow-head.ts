import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { stackStatus } from "#sdk/stack-status.ts";
import { statusUrl } from "#sdk/status-urls.ts";
import { BuildFailed } from "./build-failed.ts";
import { LeaseLost } from "./hold-lease.ts";
import type { Commit } from "./statuses.ts";

/**
 * Line 6: order is the branch's head at the source, never arrival. A newer head that no delivery has told
 * of yet is accepted here, which ends this build unless it is let through.
 */
export function followHead(
  ledger: Ledger,
  { owner, repository, urls }: Commit,
  build: Build,
  head: string | undefined,
): void {
  const { branch, generation } = build;
  if (head === build.sha) return;
  if (head === undefined)
    throw new BuildFailed("cancelled", `branch ${branch} is gone at its source`);
  const isKnown = ledger
    .listBuilds({ ownerId: owner.id, limit: 100 })
    .some(
      (one) =>
        one.repositoryId === repository.id && one.branch === branch && one.generation > generation,
    );
  if (isKnown) throw new BuildFailed("superseded", `superseded by ${head.slice(0, 7)}`);

  const targetUrl = statusUrl(urls, { state: "pending", owner, repository, sha: head });
  const description = `${owner.slug}-${repository.name} stack deploy is in progress`;
  const { superseded } = ledger.acceptManually({
    owner,
    repository,
    branch,
    sha: head,
    status: stackStatus("pending", description, targetUrl),
    reason: `noticed without a delivery: ${branch} is at ${head.slice(0, 7)}`,
  });
  if (superseded.includes(build.id)) throw new LeaseLost(`superseded by ${head.slice(0, 7)}`);
}
