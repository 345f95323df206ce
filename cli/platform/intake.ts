import type { Ledger } from "#ledger/types/ledger.ts";
import { type Env, readEnv } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import type { Log } from "#sdk/log.ts";
import { createReadHead } from "#sdk/read-head.ts";
import { createAskBack } from "../../functions/github-event/ask-back.ts";
import { createBuildQuota } from "../../functions/github-push/build-quota.ts";
import { createCatchUp } from "../../functions/github-push/catch-up.ts";
import { readConfig as readPushConfig } from "../../functions/github-push/config.ts";
import { createQueueBuild } from "../../functions/github-push/queue-build.ts";
import type { GithubStatus } from "../../functions/github-status/handler.ts";
import { finishRollbacks } from "./roll-back-function.ts";

export type IntakeTools = {
  readonly ledger: Ledger;
  readonly apps: GithubApps;
  readonly gateway: GatewayClient;
  readonly env: Env;
  readonly status: GithubStatus;
  readonly log: Log;
};

export function readIntakeSettings(env: Env): { readonly intervalMs: number } {
  const read = readEnv(env);
  return read.done({ intervalMs: read.milliseconds("catch_up_interval", "5m") });
}

/**
 * A webhook is a hint: at start and every few minutes, ask back deliveries that failed and compare branch
 * heads with what was accepted; at start also finish interrupted roll-backs and compare what commits show
 * with what the ledger says. Returns the function that stops it.
 */
export function startIntake({ ledger, apps, gateway, env, status, log }: IntakeTools): () => void {
  const { buildBranch, urls, queueTimeoutMs, buildsPerHour } = readPushConfig(env);
  const { intervalMs } = readIntakeSettings(env);
  const catchUp = createCatchUp({
    ledger,
    readHead: createReadHead(apps),
    refuseBuild: createBuildQuota(ledger, buildsPerHour, Date.now),
    queueBuild: createQueueBuild(gateway, queueTimeoutMs),
    buildBranch,
    urls,
  });
  const askBack = createAskBack({ scm: "github", apps, ledger });
  let busy = true;
  let stopped = false;
  const timer = setInterval(() => void next(), intervalMs);
  void begin();
  return () => {
    stopped = true;
    clearInterval(timer);
  };

  async function begin(): Promise<void> {
    await attempt("roll-back-failed", () => finishRollbacks({ ledger, gateway, log }));
    await attempt("status-not-corrected", () => status.correctAtBoot(log));
    busy = false;
    await next();
  }

  /** However long the sources take, there is one round at a time. */
  async function next(): Promise<void> {
    if (busy || stopped) return;
    busy = true;
    if (apps.appId("github") !== undefined) await attempt("ask-back-failed", () => askBack(log));
    await attempt("catch-up-failed", () => catchUp(log));
    busy = false;
  }

  async function attempt(failed: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      log.warn(failed, { error: describe(error) });
    }
  }
}
