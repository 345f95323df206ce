import type { Ledger } from "#ledger/types.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";

/** How often what is unfinished is queued again, in milliseconds (design.md section 6, line 4). */
const SWEEP_INTERVAL_MS = 10_000;

export type Sweeper = { stop(): void };

/**
 * Queue again, at once and every ten seconds, each build that is not terminal and not leased and each
 * commit whose statuses are due. A doubled job finds nothing to claim, so this can only help.
 */
export function startSweeper(ledger: Ledger, gateway: GatewayClient, log: Log): Sweeper {
  let running = false;
  const timer = setInterval(() => void sweep(), SWEEP_INTERVAL_MS);
  void sweep();
  return { stop: () => clearInterval(timer) };

  async function sweep(): Promise<void> {
    if (running) return;
    running = true;
    try {
      for (const { id, ownerId } of ledger.listUnleased())
        await queue("git-tar", { v: 1, buildId: id, step: "run" }, ownerId);
      for (const { buildId, ownerId } of buildsToReport())
        await queue("github-status", { v: 1, buildId, step: "status" }, ownerId);
    } catch (error) {
      log.warn("sweep-failed", { error: describe(error) });
    } finally {
      running = false;
    }
  }

  function buildsToReport(): { readonly buildId: string; readonly ownerId: string }[] {
    const ids = new Set(
      ledger
        .listUnsent(Date.now())
        .flatMap(({ buildId }) => (buildId === undefined ? [] : [buildId])),
    );
    return [...ids].flatMap((buildId) => {
      const build = ledger.findBuild(buildId);
      return build === undefined ? [] : [{ buildId, ownerId: build.ownerId }];
    });
  }

  async function queue(
    name: "git-tar" | "github-status",
    job: Job,
    ownerId: string,
  ): Promise<void> {
    await gateway.queue(name, JSON.stringify(job), { headers: { "x-owner-id": ownerId } });
  }
}
