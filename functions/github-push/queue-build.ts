import { setTimeout as wait } from "node:timers/promises";
import type { Build } from "#ledger/types/build.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";

/** How long what a repository has to tell is gathered after a job that tells it, in milliseconds. */
const GATHER_MS = 100;

type Queued = Pick<Build, "id" | "ownerId" | "repositoryId">;

/** Start the work on accepted builds; what cannot be queued is logged, and the sweeper repeats it. */
export function createQueueBuild(gateway: Pick<GatewayClient, "queue">, timeoutMs: number) {
  /** Repositories of which a job was queued just now, with the newest build that came since. */
  const gathering = new Map<string, Queued | undefined>();

  return async function queueBuild(build: Queued, log: Log): Promise<void> {
    // The build first: what the commits show is never on its way.
    await queueJob("git-tar", "run", build, log);
    if (gathering.has(build.repositoryId)) gathering.set(build.repositoryId, build);
    else void tell(build, log);
  };

  /** A job tells all that is due of its repository, so that in a flood of pushes one is enough for many. */
  async function tell(first: Queued, log: Log): Promise<void> {
    const { repositoryId } = first;
    let next: Queued | undefined = first;
    while (next !== undefined) {
      gathering.set(repositoryId, undefined);
      await queueJob("github-status", "status", next, log);
      await wait(GATHER_MS);
      next = gathering.get(repositoryId);
    }
    gathering.delete(repositoryId);
  }

  async function queueJob(
    name: "git-tar" | "github-status",
    step: Job["step"],
    { id, ownerId }: Queued,
    log: Log,
  ): Promise<void> {
    const job: Job = { v: 1, buildId: id, step };
    try {
      await gateway.queue(name, JSON.stringify(job), {
        headers: { "content-type": "application/json", "x-owner-id": ownerId },
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      log.error("job-not-queued", { job: name, build: id, error: describe(error) });
    }
  }
}
