import type { Build } from "#ledger/types/build.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";

/** Start the work on accepted builds; what cannot be queued is logged, and the sweeper repeats it. */
export function createQueueBuild(gateway: Pick<GatewayClient, "queue">, timeoutMs: number) {
  return async function queueBuild({ id, ownerId }: Build, log: Log): Promise<void> {
    // The build first: what the commits show is never on its way. One job tells those it superseded, too.
    await queueJob("git-tar", { v: 1, buildId: id, step: "run" }, ownerId, log);
    await queueJob("github-status", { v: 1, buildId: id, step: "status" }, ownerId, log);
  };

  async function queueJob(
    name: "git-tar" | "github-status",
    job: Job,
    ownerId: string,
    log: Log,
  ): Promise<void> {
    try {
      await gateway.queue(name, JSON.stringify(job), {
        headers: { "content-type": "application/json", "x-owner-id": ownerId },
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      log.error("job-not-queued", { job: name, build: job.buildId, error: describe(error) });
    }
  }
}
