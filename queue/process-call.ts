import type { Processor } from "bullmq";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { CallJob } from "./backends/backend.ts";
import type { CallbackNews } from "./callback-lane.ts";
import { decideOutcome, decideWait, type Unreached } from "./decide-outcome.ts";
import type { Entrance } from "./entrance.ts";
import type { Answer, Invoker } from "./invoke.ts";
import { bury, giveBack, postpone, RetryLater } from "./put-back.ts";
import type { CallSettings } from "./settings.ts";
import { parseStoredCall, type QueueName, type Settled, type StoredCall } from "./stored-call.ts";

/** A body larger than this is removed from the store once its call is done. */
const FORGET_ABOVE_BYTES = 4_096;

export type ProcessorTools = {
  readonly queue: QueueName;
  readonly settings: CallSettings;
  readonly callbackBodyLimitBytes: number;
  readonly invoker: Invoker;
  /** Store what the call's callback is to be told; durable when it resolves. */
  readonly addCallback: (call: StoredCall, news: CallbackNews, log: Log) => Promise<void>;
  /** Where a call waits until it may begin; nowhere when nothing is said. */
  readonly entrance?: Pick<Entrance, "begin">;
  /** Told when a call begins to run, with its turn. */
  readonly began: (turn: number) => void;
  readonly log: Log;
};

/** Run one attempt of a stored call: settle it, ask for another attempt, or bury it. */
export function createProcessor(tools: ProcessorTools): Processor<unknown, Settled> {
  // BullMQ hands the abort signal only to processors that name three parameters.
  return async function processCall(job, token, given) {
    const signal = given ?? new AbortController().signal;
    await tools.entrance?.begin(signal);
    const call = parseStoredCall(job.data);
    if (call === undefined) return await postpone(job, token, tools.log);
    if (call.settled !== undefined) return call.settled;
    tools.began(job.priority ?? 0);
    return await runAttempt(tools, job, call, token, signal);
  };
}

async function runAttempt(
  tools: ProcessorTools,
  job: CallJob,
  call: StoredCall,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Settled> {
  const startedAt = performance.now();
  const met = await attempt(tools, call, signal);
  const durationMs = performance.now() - startedAt;
  if (signal.aborted) return await giveBack(job, token, signal.reason);

  const policy = call.retry ?? tools.settings;
  const outcome = decideOutcome(met, tools.queue, call.retry?.codes);
  const status = met.reached ? met.status : 0;
  const log = tools.log.with({
    call_id: call.callId,
    function: call.function,
    owner: call.ownerId,
    attempt: job.attemptsMade + 1,
    status,
    duration_ms: Math.round(durationMs),
  });
  if (outcome.next === "retry" && job.attemptsMade + 1 < policy.attempts) {
    log.warn("call-failed", { error: outcome.reason });
    await job.updateProgress({ status, error: outcome.reason });
    const waitMs = decideWait(job.attemptsMade + 1, outcome.waitMs, policy);
    throw new RetryLater(outcome.reason, waitMs);
  }

  // Before the call is settled: killed in between, it is made again and told again, rather than never.
  const retries = { retries: job.attemptsMade, retriesLimit: policy.attempts - 1 };
  await tools.addCallback(call, { ...newsOf(met), ...retries, durationMs }, log);
  if (outcome.next !== "done") {
    log.error("call-buried", { error: outcome.reason });
    return await bury(job, outcome.reason, status);
  }
  log.info("call-done");
  return await settle(job, call, { status, durationMs }, log);
}

async function attempt(
  { settings, invoker, callbackBodyLimitBytes }: ProcessorTools,
  call: StoredCall,
  signal: AbortSignal,
): Promise<Answer | Unreached> {
  const keepBytes = call.callbackUrl === undefined ? 0 : callbackBodyLimitBytes;
  const late = AbortSignal.timeout(settings.timeoutMs);
  try {
    return await invoker.invoke(call, keepBytes, AbortSignal.any([signal, late]));
  } catch (error) {
    if (!late.aborted) return { reached: false, error: describe(error) };
    return { reached: false, error: `no answer within ${settings.timeoutMs} ms` };
  }
}

/** A function that was not reached is told as 503, as OpenFaaS does. */
function newsOf(met: Answer | Unreached): Pick<CallbackNews, "status" | "contentType" | "body"> {
  if (!met.reached) return { status: 503, body: Buffer.alloc(0) };
  const { status, contentType, body } = met;
  return { status, body, ...(contentType !== undefined && { contentType }) };
}

async function settle(
  job: CallJob,
  call: StoredCall,
  settled: Settled,
  log: Log,
): Promise<Settled> {
  if (call.bytes <= FORGET_ABOVE_BYTES) return settled;
  try {
    await job.updateData({ ...call, body: "", settled });
  } catch (error) {
    // The call is done all the same; its body goes when the job does.
    log.warn("call-body-kept", { error: describe(error) });
  }
  return settled;
}
