import { setTimeout as wait } from "node:timers/promises";
import { describe, HttpError } from "#sdk/errors.ts";
import type { JobQueue } from "./backends/backend.ts";
import type { CallSettings } from "./settings.ts";
import { jobIdOf, parseStoredCall, queueOf, type StoredCall } from "./stored-call.ts";

const RETRY_WAIT_MS = 100;

export type NewJob = {
  readonly jobId: string;
  readonly name: string;
  readonly data: unknown;
  readonly attempts: number;
  readonly turn: number;
  /** Whether what is stored under the id is this very job; absent when nobody else can choose that id. */
  readonly isSame?: (data: unknown) => boolean;
  readonly timeoutMs: number;
};

/** Store a call durably under its call id, as `storeJob`. */
export async function publishCall(
  queue: JobQueue,
  call: StoredCall,
  turn: number,
  { attempts }: CallSettings,
  timeoutMs: number,
): Promise<boolean> {
  return storeJob(queue, {
    jobId: jobIdOf(call.callId),
    name: call.function,
    data: call,
    attempts: call.retry?.attempts ?? attempts,
    turn,
    // The platform's own calls have the ids that the gateway gave them.
    ...(queueOf(call.namespace) === "invocations" && {
      isSame: (data: unknown) => parseStoredCall(data)?.nonce === call.nonce,
    }),
    timeoutMs,
  });
}

/**
 * Store a job durably. False when another one holds its id. Throws 503 when the store does not take it
 * within `timeoutMs`; it may still have been taken then.
 */
export async function storeJob(queue: JobQueue, job: NewJob): Promise<boolean> {
  const { jobId, name, data, attempts, turn, isSame, timeoutMs } = job;
  return withDeadline(timeoutMs, async () => {
    const options = { jobId, attempts, priority: turn, backoff: { type: "custom" } };
    await queue.add(name, data, { ...options, stackTraceLimit: 0 });
    if (isSame === undefined) return true;
    const stored = await queue.getJob(jobId);
    // Not there any more: it ran and was forgotten.
    return stored === undefined || isSame(stored.data);
  });
}

/** Adding twice under one id is one job, so a store that restarts is simply asked again. */
async function withDeadline<T>(timeoutMs: number, act: () => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs);
  let last: unknown = new Error("no answer");
  while (!deadline.aborted) {
    try {
      return await Promise.race([act(), rejectAt(deadline)]);
    } catch (error) {
      if (!deadline.aborted) last = error;
      await wait(RETRY_WAIT_MS);
    }
  }
  throw new HttpError(
    503,
    "queue-unavailable",
    `The queue did not take the call within ${timeoutMs} ms (${describe(last)}); call again.`,
    { cause: last },
  );
}

function rejectAt(deadline: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    deadline.addEventListener("abort", () => reject(new Error("deadline")), { once: true });
  });
}
