import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { ReadHead } from "#sdk/read-head.ts";
import type { StatusUrls } from "#sdk/status-urls.ts";
import type { RefuseBuild } from "./build-quota.ts";
import type { createQueueBuild } from "./queue-build.ts";
import { acceptCommit } from "./to-accept-push.ts";

export type CatchUpTools = {
  readonly ledger: Pick<Ledger, "listRepositories" | "listBuilds" | "findOwner" | "acceptManually">;
  readonly readHead: ReadHead;
  /** An owner who has had too many builds is caught up with later. */
  readonly refuseBuild: RefuseBuild;
  readonly queueBuild: ReturnType<typeof createQueueBuild>;
  /** As in github-push's config. */
  readonly buildBranch: string;
  readonly urls: StatusUrls;
};

/**
 * A webhook is a hint and hints get lost: compare the build branch of every known repository with its
 * source, and accept what no delivery told of. Answers how many commits that were. Never goes back to a
 * commit that was accepted last, so a roll-back stays.
 */
export function createCatchUp(tools: CatchUpTools): (log: Log) => Promise<number> {
  const { ledger, readHead, queueBuild } = tools;

  return async function catchUp(log) {
    let accepted = 0;
    for (const repository of ledger.listRepositories()) {
      try {
        if (await catchUpWith(repository, log)) accepted += 1;
      } catch (error) {
        log.warn("head-not-read", { repository: repository.fullName, error: describe(error) });
      }
    }
    return accepted;
  };

  async function catchUpWith(repository: Repository, log: Log): Promise<boolean> {
    const branch = tools.buildBranch || repository.defaultBranch;
    const owner = ledger.findOwner(repository.ownerId);
    const before = newestOf(repository, branch);
    // A repository that was never built has been seen, but not wanted, so far.
    if (owner === undefined || before === undefined) return false;
    if (tools.refuseBuild(owner) !== undefined) return false;
    const head = await readHead(repository, branch);
    // A delivery may have come while the source was asked.
    if (head === undefined || head === newestOf(repository, branch)?.sha) return false;

    const reason = `noticed without a delivery: ${branch} is at ${head.slice(0, 7)}`;
    const commit = acceptCommit(owner, repository, branch, head, tools.urls);
    const { build } = ledger.acceptManually({ ...commit, reason });
    log.info("push-noticed", { repository: repository.fullName, sha: head, build: build?.id });
    if (build !== undefined) await queueBuild(build, log);
    return build !== undefined;
  }

  function newestOf({ id }: Repository, branch: string): Build | undefined {
    return ledger.listBuilds({ repositoryId: id, branch, limit: 1 })[0];
  }
}
