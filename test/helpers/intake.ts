import type { ExecutionContext } from "ava";
import { setUp as openLedgerFor } from "#ledger/test-support/set-up.ts";
import type { Handler } from "#sdk/answer.ts";
import type { Env } from "#sdk/env.ts";
import { readConfig as readEventConfig } from "../../functions/github-event/config.ts";
import { createCustomers } from "../../functions/github-event/customers.ts";
import { createHandler as createGithubEvent } from "../../functions/github-event/handler.ts";
import { readConfig as readPushConfig } from "../../functions/github-push/config.ts";
import { createHandler as createGithubPush } from "../../functions/github-push/handler.ts";
import { createLoopback } from "./loopback-gateway.ts";
import { WEBHOOK_SECRET } from "./push-delivery.ts";

export const FORGE_SECRET = "the forge's own secret";

/** github-event and github-push over a real ledger, joined by signed calls. */
export function setUpIntake(t: ExecutionContext, env: Env = {}) {
  const place = openLedgerFor(t);
  const handlers: Record<string, Handler> = {};
  const loopback = createLoopback(() => handlers);
  const { gateway } = loopback;
  let answer = start();

  /** Both functions anew, as after a restart of their process. */
  function start() {
    const ledger = place.ledger;
    const config = readEventConfig(env);
    handlers["github-push"] = createGithubPush({
      config: readPushConfig(env),
      ledger,
      gateway,
      now: place.now,
    });
    const handler = createGithubEvent({
      config,
      sources: [
        { scm: "github", webhookSecret: WEBHOOK_SECRET },
        { scm: "forge", webhookSecret: FORGE_SECRET },
      ],
      customers: createCustomers({ config }),
      ledger,
      gateway,
    });
    return loopback.serve(handler);
  }

  return {
    loopback,
    handlers,
    get ledger() {
      return place.ledger;
    },
    /** Move the clock. */
    wait: place.wait,
    deliver: (request: Request) => answer(request),
    restart() {
      place.reopen();
      answer = start();
    },
    /** Jobs for one function, without the audit's. */
    jobsFor: (name: string) => loopback.jobs.filter((job) => job.name === name),
  };
}
