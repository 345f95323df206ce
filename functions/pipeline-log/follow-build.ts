import { setTimeout as sleep } from "node:timers/promises";
import type { Build } from "#ledger/types/build.ts";
import type { Delivery } from "#ledger/types/delivery.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Config } from "./config.ts";
import { ndjson } from "./ndjson.ts";
import { listTold, tellBuild, tellDelivery } from "./tell-build.ts";

export type FollowTools = {
  readonly config: Pick<Config, "heartbeatMs" | "deliveryWaitMs" | "urls">;
  readonly ledger: Pick<
    Ledger,
    "findBuild" | "findDelivery" | "findOwner" | "listEvents" | "listStatuses" | "watch"
  >;
  readonly now: () => number;
};

const DELIVERY_POLL_MS = 10;

/**
 * `?build=<id>` or `?delivery=<scm>:<id>`, `&follow=true`, and optionally `&owner=<owner id>`, which hides
 * other owners' builds: the build's events as NDJSON.
 */
export function createFollow({ config, ledger, now }: FollowTools) {
  const { urls, heartbeatMs } = config;
  const tools = { ledger, urls, heartbeatMs, now };

  return async function follow(query: URLSearchParams, gone: AbortSignal): Promise<Response> {
    const subject = await find(query, gone);
    const reader = new AbortController();
    const stop = () => reader.abort();
    if (!("generation" in subject)) return ndjson(tellDelivery(subject), stop);
    if (query.get("follow") !== "true") return ndjson(listTold(tools, subject.id), stop);
    return ndjson(tellBuild(tools, subject.id, AbortSignal.any([gone, reader.signal])), stop);
  };

  /** The build, or a delivery that made none; what belongs to another owner is not there. */
  async function find(query: URLSearchParams, gone: AbortSignal): Promise<Build | Delivery> {
    const key = query.get("delivery");
    const delivery = key === null ? undefined : await waitForDelivery(key, gone);
    const buildId = query.get("build") ?? delivery?.buildId;
    const build = buildId === undefined ? undefined : ledger.findBuild(buildId);
    const owner = query.get("owner");
    if (build !== undefined && (owner === null || owner === build.ownerId)) return build;
    if (build === undefined && delivery !== undefined && owner === null) return delivery;
    throw new HttpError(404, "not-found", "There is no such build or delivery.");
  }

  /** A pusher may ask before the webhook has arrived. */
  async function waitForDelivery(key: string, gone: AbortSignal): Promise<Delivery | undefined> {
    const deadline = now() + config.deliveryWaitMs;
    for (;;) {
      const delivery = ledger.findDelivery(key);
      if (delivery !== undefined || now() >= deadline || gone.aborted) return delivery;
      await sleep(DELIVERY_POLL_MS);
    }
  }
}
