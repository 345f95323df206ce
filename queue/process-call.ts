import { DelayedError, type Processor, UnrecoverableError, WaitingError } from "bullmq";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { CallJob } from "./backends/backend.ts";
import type { CallbackNews, Callbacks } from "./callback.ts";
import { decideOutcome, type Unreached } from "./decide-outcome.ts";
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
  const startedAt = performance.now();
  const met = await attempt(tools, call, signal);
  const durationMs = performance.now() - startedAt;
  if (signal.aborted) return await giveBack(job, token, signal.reason);

  const outcome = decideOutcome(met, tools.queue);
  const status = met.reached ? met.status : 0;
  const log = tools.log.with({
    call_id: call.callId,
    function: call.function,
    owner: call.ownerId,
    attempt: job.attemptsMade + 1,
    status,
    duration_ms: Math.round(durationMs),
  });
  if (outcome.next === "retry" && job.attemptsMade + 1 < tools.settings.attempts) {
    log.warn("call-failed", { error: outcome.reason });
    await job.updateProgress({ status, error: outcome.reason });
    throw new RetryLater(outcome.reason, outcome.waitMs);
  }

  await tools.callbacks.send(call, { ...newsOf(met), durationMs }, log);
  if (outcome.next !== "done") {
    log.error("call-buried", { error: outcome.reason });
    await job.updateProgress({ status, error: outcome.reason });
    throw new UnrecoverableError(outcome.reason);
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

/** An aborted call: put back when the platform stops, ended when somebody cancelled it. */
async function giveBack(job: CallJob, token: string | undefined, reason: unknown): Promise<never> {
  if (reason !== CLOSING) throw new UnrecoverableError(CANCELLED);
  await job.moveToWait(token);
  throw new WaitingError();
}

/** A function that was not reached is told as 503, as OpenFaaS does. */
function newsOf(met: Answer | Unreached): Omit<CallbackNews, "durationMs"> {
  return met.reached ? met : { status: 503, contentType: undefined, body: Buffer.alloc(0) };
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
