import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";
import type { GithubStatus } from "../../functions/github-status/handler.ts";

/** How often what is unfinished is queued again, in milliseconds (design.md section 6, line 4). */
const SWEEP_INTERVAL_MS = 10_000;

export type Sweeper = { stop(): void };

export type SweeperTools = {
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  readonly status: Pick<GithubStatus, "sendDue">;
  readonly log: Log;
  readonly intervalMs?: number;
};

/**
 * Queue again, at once and every ten seconds, each build that is not terminal and not leased, and tell the
 * sources what they were not told. A doubled job finds nothing to claim, so this can only help.
 */
export function startSweeper(tools: SweeperTools): Sweeper {
  const { ledger, gateway, status, log, intervalMs = SWEEP_INTERVAL_MS } = tools;
  let running = false;
  const timer = setInterval(() => void sweep(), intervalMs);
  void sweep();
  return { stop: () => clearInterval(timer) };

  async function sweep(): Promise<void> {
    if (running) return;
    running = true;
    // A queue that is down must not keep commits from being told.
    await attempt(async () => void (await Promise.all(ledger.listUnleased().map(queueBuild))));
    await attempt(async () => void (await status.sendDue(log)));
    running = false;
  }

  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      log.warn("sweep-failed", { error: describe(error) });
    }
  }

  async function queueBuild({ id, ownerId }: Build): Promise<void> {
    const job: Job = { v: 1, buildId: id, step: "run" };
    await gateway.queue("git-tar", JSON.stringify(job), { headers: { "x-owner-id": ownerId } });
  }
}
