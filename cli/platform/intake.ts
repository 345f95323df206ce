import type { Ledger } from "#ledger/types.ts";
import { type Env, readEnv } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";
import { createReadHead } from "#sdk/read-head.ts";
import { createAskBack } from "../../functions/github-event/ask-back.ts";
import { createCatchUp } from "../../functions/github-push/catch-up.ts";
import { readConfig as readPushConfig } from "../../functions/github-push/config.ts";
import { createQueueBuild } from "../../functions/github-push/queue-build.ts";
import type { GithubStatus } from "../../functions/github-status/handler.ts";

export type IntakeTools = {
  readonly ledger: Ledger;
  readonly apps: GithubApps;
  readonly gateway: GatewayClient;
  readonly env: Env;
  readonly status: GithubStatus;
  readonly log: Log;
};

/**
 * A webhook is a hint: at start and every few minutes, ask back deliveries that failed and compare branch
 * heads with what was accepted; at start also what commits show with what the ledger says. Returns the
 * function that stops it.
 */
export function startIntake({ ledger, apps, gateway, env, status, log }: IntakeTools): () => void {
  const { buildBranch, urls, queueTimeoutMs } = readPushConfig(env);
  const intervalMs = readEnv(env).milliseconds("catch_up_interval", "5m");
  const catchUp = createCatchUp({
    ledger,
    readHead: createReadHead(apps),
    queueBuild: createQueueBuild(gateway, queueTimeoutMs),
    buildBranch,
    urls,
  });
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(next, intervalMs);
  const askBack = createAskBack({ scm: "github", apps, ledger });
  running = attempt("status-not-corrected", () => status.correctAtBoot(log));
  next();
  return () => clearInterval(timer);

  /** One round after the other, however long the sources take. */
  function next(): void {
    running = running.then(async () => {
      if (apps.appId("github") !== undefined) await attempt("ask-back-failed", () => askBack(log));
      await attempt("catch-up-failed", () => catchUp(log));
    });
  }

  async function attempt(failed: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      log.warn(failed, { error: describe(error) });
    }
  }
}
