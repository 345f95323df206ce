import type { Build } from "#ledger/types/build.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { createGather } from "#sdk/gather.ts";
import type { Log } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";

type Queued = Pick<Build, "id" | "ownerId" | "repositoryId" | "branch">;
type Due = { readonly build: Queued; readonly log: Log };

/**
 * Start the work on accepted builds; what cannot be queued is logged, and the sweeper repeats it. In a flood
 * of pushes one job stands for many: a newer build of a branch supersedes the older ones, and a job tells
 * all that is due of its repository. Resolves to false where a newer build's job was sent instead.
 */
export function createQueueBuild(gateway: Pick<GatewayClient, "queue">, timeoutMs: number) {
  const run = createGather<Due>((due) => queueNewest("git-tar", "run", due));
  const tell = createGather<Due>((due) => queueNewest("github-status", "status", due));

  return async function queueBuild(build: Queued, log: Log): Promise<boolean> {
    const { id, repositoryId, branch } = build;
    // The build first: what the commits show is never on its way.
    const sent = await run(JSON.stringify([repositoryId, branch]), { build, log });
    void tell(repositoryId, { build, log });
    return sent.at(-1)?.build.id === id;
  };

  async function queueNewest(
    name: "git-tar" | "github-status",
    step: Job["step"],
    due: readonly Due[],
  ): Promise<void> {
    const newest = due.at(-1);
    if (newest === undefined) return;
    const { build, log } = newest;
    const job: Job = { v: 1, buildId: build.id, step };
    try {
      await gateway.queue(name, JSON.stringify(job), {
        headers: { "content-type": "application/json", "x-owner-id": build.ownerId },
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      log.error("job-not-queued", { job: name, build: build.id, error: describe(error) });
    }
  }
}
