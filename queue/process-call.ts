import { DelayedError, type Processor, UnrecoverableError, WaitingError } from "bullmq";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { CallJob } from "./backends/backend.ts";
import type { Callbacks } from "./callback.ts";
import { type Attempt, decideOutcome } from "./decide-outcome.ts";
import type { Answer, Invoker } from "./invoke.ts";
import type { CallSettings } from "./settings.ts";
import { parseStoredCall, type QueueName, type Settled, type StoredCall } from "./stored-call.ts";

/** A call that a newer version stored is looked at again after this long. */
const UNKNOWN_VERSION_WAIT_MS = 30_000;
/** A body larger than this is removed from the store once its call is done. */
const FORGET_ABOVE_BYTES = 4_096;

/** Why a running call is aborted. */
export const CLOSING = "closing";
export const CANCELLED = "cancelled";

/** A failed attempt that asks for another one, no earlier than `waitMs` from now. */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly waitMs: number;
  constructor(reason: string, waitMs: number) {
    super(reason);
    this.waitMs = waitMs;
  }
}

export type ProcessorTools = {
  readonly queue: QueueName;
  readonly settings: CallSettings;
  readonly callbackBodyLimitBytes: number;
  readonly invoker: Invoker;
  readonly callbacks: Callbacks;
  /** Told when a call begins to run, with its turn. */
  readonly began: (turn: number) => void;
  readonly log: Log;
};

/** Run one attempt of a stored call: settle it, ask for another attempt, or bury it. */
export function createProcessor(tools: ProcessorTools): Processor<unknown, Settled> {
  // BullMQ hands the abort signal only to processors that name three parameters.
  return async function processCall(job, token, signal) {
    const call = parseStoredCall(job.data);
    if (call === undefined) return await postpone(job, token, tools.log);
    if (call.settled !== undefined) return call.settled;
    tools.began(job.priority ?? 0);
    return await runAttempt(tools, job, call, token, signal ?? new AbortController().signal);
  };
}

async function postpone(job: CallJob, token: string | undefined, log: Log): Promise<never> {
  log.warn("call-postponed", { job: job.id, reason: "its stored version is not known here" });
  await job.moveToDelayed(Date.now() + UNKNOWN_VERSION_WAIT_MS, token);
  throw new DelayedError();
}

async function runAttempt(
  tools: ProcessorTools,
  job: CallJob,
  call: StoredCall,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Settled> {
  const { queue, settings } = tools;
  const log = tools.log.with({
    call_id: call.callId,
    function: call.function,
    owner: call.ownerId,
    attempt: job.attemptsMade + 1,
  });
  const startedAt = performance.now();
  const answer = await attempt(tools, call, signal);
  const durationMs = Math.round((performance.now() - startedAt) * 1_000) / 1_000;

  if (signal.aborted && signal.reason === CLOSING) {
    await job.moveToWait(token);
    throw new WaitingError();
  }
  if (signal.aborted) throw new UnrecoverableError(CANCELLED);

  const met: Attempt = "error" in answer ? answer : { reached: true, ...answer };
  const outcome = decideOutcome(met, queue);
  const status = met.reached ? met.status : 0;
  const facts = { status, duration_ms: Math.round(durationMs) };
  if (outcome.next === "retry" && job.attemptsMade + 1 < settings.attempts) {
    log.warn("call-failed", { ...facts, error: outcome.reason });
    await job.updateProgress({ status, error: outcome.reason });
    throw new RetryLater(outcome.reason, outcome.waitMs);
  }

  await tools.callbacks.send(
    call,
    {
      status: status === 0 ? 503 : status,
      durationMs,
      contentType: met.reached && !("error" in answer) ? answer.contentType : undefined,
      body: "error" in answer ? Buffer.alloc(0) : answer.body,
    },
    log,
  );
  if (outcome.next !== "done") {
    log.error("call-buried", { ...facts, error: outcome.reason });
    await job.updateProgress({ status, error: outcome.reason });
    throw new UnrecoverableError(outcome.reason);
  }
  log.info("call-done", facts);
  const settled = { status, durationMs };
  if (call.body.length > FORGET_ABOVE_BYTES) await job.updateData({ ...call, body: "", settled });
  return settled;
}

type Unreached = { readonly reached: false; readonly error: string };

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
