import type { QueueName } from "./stored-call.ts";

export type Reached = {
  readonly reached: true;
  readonly status: number;
  /** The header as it came. */
  readonly retryAfter: string | undefined;
};
export type Unreached = { readonly reached: false; readonly error: string };

export type Outcome =
  | { readonly next: "done" }
  | { readonly next: "retry"; readonly reason: string; readonly waitMs: number }
  | { readonly next: "dead"; readonly reason: string };

/**
 * 2xx is done; 408, 429, 5xx (or `codes` in their place) and an unreachable function are tried again. Any
 * other status is a users' function's own answer, and a fault that no retry mends in the pipeline.
 */
export function decideOutcome(
  attempt: Reached | Unreached,
  queue: QueueName,
  codes?: readonly number[],
  now = Date.now(),
): Outcome {
  if (!attempt.reached) return { next: "retry", reason: attempt.error, waitMs: 0 };
  const { status, retryAfter } = attempt;
  const reason = `answered ${status}`;
  if (codes?.includes(status) ?? isPassing(status))
    return { next: "retry", reason, waitMs: parseRetryAfter(retryAfter, now) };
  if ((status >= 200 && status < 300) || queue === "invocations") return { next: "done" };
  return { next: "dead", reason };
}

function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** Milliseconds that `Retry-After` asks for, as seconds or as an HTTP date; 0 when it says nothing. */
export function parseRetryAfter(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

export type Waits = { readonly firstDelayMs: number; readonly maxDelayMs: number };

/** The wait after attempt 1, 2, 3 …: doubling, at least what the function asked for, capped. */
export function decideWait(attemptsMade: number, askedMs: number, waits: Waits): number {
  const doubled = waits.firstDelayMs * 2 ** Math.min(attemptsMade - 1, 30);
  return Math.min(Math.max(doubled, askedMs), waits.maxDelayMs);
}
