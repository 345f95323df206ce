import type { Processor } from "bullmq";
import { describe, errorCode } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { CallJob } from "./backends/backend.ts";
import type { CallbackSender } from "./callback.ts";
import { PRIVATE_ADDRESS, refuseCallbackUrl } from "./callback-address.ts";
import { decideOutcome, decideWait, type Reached, type Unreached } from "./decide-outcome.ts";
import type { Lane } from "./lane.ts";
import { storeJob } from "./publish.ts";
import { bury, giveBack, postpone, RetryLater } from "./put-back.ts";
import type { QueueSettings } from "./settings.ts";
import type { Settled, StoredCall } from "./stored-call.ts";
import { callbackJobId, parseStoredCallback, type StoredCallback } from "./stored-callback.ts";

/** What a callback is told about an ended call. */
export type CallbackNews = Pick<
  StoredCallback,
  "status" | "durationMs" | "contentType" | "retries" | "retriesLimit"
> & { readonly body: Buffer };

/**
 * Store what a call's callback is to be told, if it has one: a job of its own, which outlives the call and
 * the platform. Durable when it resolves. A body that its owner has no room for is left out.
 */
export async function addCallback(
  { jobs, backlog }: Lane,
  { callbacks, publishTimeoutMs }: QueueSettings,
  call: StoredCall,
  news: CallbackNews,
  log: Log,
): Promise<void> {
  if (call.callbackUrl === undefined) return;
  const hasRoom = backlog.hasRoom({ ownerId: call.ownerId, bytes: news.body.length });
  const callback = toStored(call, call.callbackUrl, news, hasRoom);
  if (!hasRoom) log.warn("callback-body-left-out", { bytes: news.body.length });
  const put = (jobId: string) =>
    storeJob(jobs, {
      jobId,
      name: callback.function,
      data: callback,
      attempts: callbacks.attempts,
      turn: backlog.turns.take(callback.ownerId),
      isSame: (data) => parseStoredCallback(data)?.nonce === callback.nonce,
      timeoutMs: publishTimeoutMs,
    });
  backlog.hold(callback);
  try {
    const id = callbackJobId(callback.callId);
    // A dead letter of an earlier call may hold the id.
    if (!(await put(id))) await put(`${id}-${callback.nonce}`);
  } catch (error) {
    backlog.release(callback);
    throw error;
  }
}

function toStored(
  call: StoredCall,
  url: string,
  { body, ...news }: CallbackNews,
  hasRoom: boolean,
): StoredCallback {
  const kept = hasRoom ? body : Buffer.alloc(0);
  return {
    v: 1,
    callId: call.callId,
    nonce: call.nonce,
    function: call.function,
    ownerId: call.ownerId,
    url,
    ...news,
    body: kept.toString("base64"),
    bytes: kept.length,
    ...(!hasRoom && { leftOutBytes: body.length }),
    acceptedAt: call.acceptedAt,
  };
}

export type TellTools = {
  readonly settings: QueueSettings;
  readonly sender: CallbackSender;
  readonly began: (turn: number) => void;
  readonly log: Log;
};

/** Tell a stored callback once: done, again later, or buried. */
export function createTeller(tools: TellTools): Processor<unknown, Settled> {
  const { settings, sender, began } = tools;
  // BullMQ hands the abort signal only to processors that name three parameters.
  return async function tell(job, token, signal) {
    const callback = parseStoredCallback(job.data);
    if (callback === undefined) return await postpone(job, token, tools.log);
    began(job.priority ?? 0);
    const aborted = signal ?? new AbortController().signal;
    const startedAt = performance.now();
    const met = await post(callback, settings, sender, aborted);
    if (aborted.aborted) return await giveBack(job, token, aborted.reason);
    const { callId, ownerId, url } = callback;
    const facts = { call_id: callId, owner: ownerId, host: new URL(url).host };
    const log = tools.log.with({ ...facts, attempt: job.attemptsMade + 1 });
    const status = await settle(job, met, settings, log);
    return { status, durationMs: performance.now() - startedAt };
  };
}

type Refused = { readonly refused: string };

/** An address that may not be called stays refused, however often it is tried. */
async function post(
  callback: StoredCallback,
  { callbackPrivate }: QueueSettings,
  sender: CallbackSender,
  signal: AbortSignal,
): Promise<Reached | Unreached | Refused> {
  const refused = refuseCallbackUrl(callback.url, callbackPrivate);
  if (refused !== undefined) return { refused };
  try {
    return await sender.post(callback, signal);
  } catch (error) {
    if (errorCode(error) === PRIVATE_ADDRESS) return { refused: describe(error) };
    return { reached: false, error: describe(error) };
  }
}

/** The status that the receiver answered. */
async function settle(
  job: CallJob,
  met: Reached | Unreached | Refused,
  { callbacks }: QueueSettings,
  log: Log,
): Promise<number> {
  if ("refused" in met) return await give(met.refused, 0);
  const status = met.reached ? met.status : 0;
  const outcome = decideOutcome(met, "invocations");
  if (outcome.next !== "retry") {
    log.info("callback-sent", { status });
    return status;
  }
  if (job.attemptsMade + 1 >= callbacks.attempts) return await give(outcome.reason, status);
  log.warn("callback-failed", { status, error: outcome.reason });
  await job.updateProgress({ status, error: outcome.reason });
  const waitMs = decideWait(job.attemptsMade + 1, outcome.waitMs, callbacks);
  throw new RetryLater(outcome.reason, waitMs);

  function give(reason: string, last: number): Promise<never> {
    log.error("callback-buried", { status: last, error: reason });
    return bury(job, reason, last);
  }
}
