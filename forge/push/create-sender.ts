import { EventEmitter } from "node:events";
import { setTimeout as sleepFor } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { signWebhook } from "#sdk/webhook-signature.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import type { ForgeSettings } from "../settings.ts";
import {
  type Attempt,
  type Deliveries,
  type Delivery,
  LONGEST_PAUSE_MS,
} from "../store/deliveries.ts";

export type SenderTools = {
  readonly deliveries: Deliveries;
  readonly webhookUrl: string;
  readonly webhookSecret: string;
  readonly appId: number;
  /** Makes the body at the first attempt. */
  readonly buildPayload: (delivery: Delivery) => Promise<string>;
  readonly settings: Pick<ForgeSettings, "retryMs" | "webhookTimeoutMs">;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  readonly log: Log;
};

/** Sends pending deliveries until each is taken (2xx) or refused (4xx). */
export type Sender = {
  /** Look for due deliveries now. */
  wake(): void;
  /** Called after each attempt at this delivery; returns the unsubscriber. */
  watch(id: number, changed: () => void): () => void;
  close(): Promise<void>;
};

/** Deliveries under way at once; the receiver answers in milliseconds. */
const CONCURRENCY = 4;
/** What is under way when the forge closes may still be answered; else it is sent again later. */
const GRACE_MS = 2_000;
const ANSWER_LIMIT = 2_000;

export function createSender(tools: SenderTools): Sender {
  const { deliveries, now, log, settings } = tools;
  const attempts = new EventEmitter().setMaxListeners(0);
  const stopping = new AbortController();
  /** By repository and ref: one delivery of a ref at a time keeps its pushes in order when all is well. */
  const busy = new Map<string, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  return {
    wake,
    watch(id, changed) {
      attempts.on(String(id), changed);
      return () => attempts.off(String(id), changed);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      const cut = setTimeout(() => stopping.abort(), GRACE_MS);
      await Promise.all(busy.values());
      clearTimeout(cut);
    },
  };

  function wake(): void {
    if (closed) return;
    clearTimeout(timer);
    for (const delivery of deliveries.listDue(CONCURRENCY * 4)) {
      if (busy.size < CONCURRENCY && !busy.has(refOf(delivery))) start(delivery);
    }
    if (busy.size < CONCURRENCY) sleep();
  }

  function sleep(): void {
    const at = deliveries.nextDueAt();
    if (at === undefined) return;
    const pause = Math.min(Math.max(at - now(), busy.size > 0 ? 1_000 : 1), LONGEST_PAUSE_MS);
    timer = setTimeout(wake, pause);
  }

  function start(delivery: Delivery): void {
    const run = attempt(delivery)
      .catch(async (error: unknown) => {
        // It stays due; without a pause a record that cannot be written would be tried without end.
        log.error("webhook-not-recorded", { delivery: delivery.guid, error: describe(error) });
        await sleepFor(LONGEST_PAUSE_MS / 60, undefined, { signal: stopping.signal }).catch(
          () => {},
        );
      })
      .finally(() => {
        busy.delete(refOf(delivery));
        attempts.emit(String(delivery.id));
        wake();
      });
    busy.set(refOf(delivery), run);
  }

  async function attempt(delivery: Delivery): Promise<void> {
    const started = performance.now();
    const outcome = await send(delivery).catch((error: unknown) => ({
      status: 0,
      answer: describe(error),
    }));
    if (stopping.signal.aborted && outcome.status === 0) return;
    const result: Attempt = {
      ...outcome,
      state: decideState(outcome.status),
      durationMs: performance.now() - started,
      nextAt: now() + pauseAfter(delivery.attempts, settings.retryMs),
    };
    deliveries.recordAttempt(delivery.id, result);
    log[result.state === "delivered" ? "info" : "warn"](`webhook-${result.state}`, {
      delivery: delivery.guid,
      ref: delivery.ref,
      status: result.status,
      duration_ms: Math.round(result.durationMs),
      ...(result.state === "delivered" ? {} : { answer: result.answer }),
    });
  }

  async function send(delivery: Delivery): Promise<{ status: number; answer: string }> {
    const payload = delivery.payload ?? (await tools.buildPayload(delivery));
    if (delivery.payload === null) deliveries.storePayload(delivery.id, payload);
    const body = Buffer.from(payload);
    const response = await tools.fetch(tools.webhookUrl, {
      method: "POST",
      headers: headersOf(delivery, body),
      body,
      redirect: "manual",
      signal: withDeadline(settings.webhookTimeoutMs, stopping.signal),
    });
    return { status: response.status, answer: (await response.text()).slice(0, ANSWER_LIMIT) };
  }

  function headersOf(delivery: Delivery, body: Uint8Array): Record<string, string> {
    return {
      "content-type": "application/json",
      accept: "*/*",
      "user-agent": "OpenFaaS-Cloud-Forge/1",
      "x-github-event": delivery.event,
      "x-github-delivery": delivery.guid,
      "x-github-hook-id": "1",
      "x-github-hook-installation-target-type": "integration",
      "x-github-hook-installation-target-id": String(tools.appId),
      "x-hub-signature-256": signWebhook(body, tools.webhookSecret),
    };
  }
}

function refOf({ repositoryId, ref }: Delivery): string {
  return `${repositoryId} ${ref}`;
}

/** Only 2xx is taken; a 4xx will not change its mind, except "too slow" and "too many". */
function decideState(status: number): Delivery["state"] {
  if (status >= 200 && status < 300) return "delivered";
  const final = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
  return final ? "refused" : "pending";
}

/** Doubles from `retryMs` to five minutes, with a spread so that many do not come back at once. */
function pauseAfter(attempts: number, retryMs: number): number {
  const pause = Math.min(retryMs * 2 ** Math.min(attempts, 20), LONGEST_PAUSE_MS);
  return Math.round(pause * (0.75 + Math.random() / 2));
}
