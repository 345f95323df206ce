import test from "ava";
import { decideOutcome, decideWait, parseRetryAfter } from "./decide-outcome.ts";
import type { QueueName } from "./stored-call.ts";

const reached = (status: number, retryAfter?: string) =>
  ({ reached: true, status, retryAfter }) as const;

const cases: readonly (readonly [QueueName, number, "done" | "retry" | "dead"])[] = [
  ["invocations", 200, "done"],
  ["invocations", 204, "done"],
  ["invocations", 302, "done"],
  ["invocations", 400, "done"],
  ["invocations", 404, "done"],
  ["invocations", 408, "retry"],
  ["invocations", 429, "retry"],
  ["invocations", 500, "retry"],
  ["invocations", 599, "retry"],
  ["pipeline", 202, "done"],
  ["pipeline", 302, "dead"],
  ["pipeline", 401, "dead"],
  ["pipeline", 404, "dead"],
  ["pipeline", 409, "dead"],
  ["pipeline", 429, "retry"],
  ["pipeline", 503, "retry"],
];
for (const [queue, status, next] of cases)
  test(`${status} in ${queue} is ${next}`, (t) => {
    t.is(decideOutcome(reached(status), queue).next, next);
  });

test("a function that was not reached is tried again for the reason given", (t) => {
  const outcome = decideOutcome({ reached: false, error: "connect ENOENT" }, "pipeline");

  t.deepEqual(outcome, { next: "retry", reason: "connect ENOENT", waitMs: 0 });
});

test("Retry-After is read as seconds and as a date, and anything else as nothing", (t) => {
  const now = Date.parse("2026-01-01T00:00:00Z");

  t.is(parseRetryAfter("30", now), 30_000);
  t.is(parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now), 60_000);
  t.is(parseRetryAfter("Thu, 01 Jan 2025 00:01:00 GMT", now), 0);
  t.is(parseRetryAfter("soon", now), 0);
  t.is(parseRetryAfter(undefined, now), 0);
});

test("waits double from the first to the cap, and Retry-After only lengthens them", (t) => {
  const waits = { firstDelayMs: 1_000, maxDelayMs: 120_000 };

  t.deepEqual(
    [1, 2, 3, 7, 8, 1_000].map((made) => decideWait(made, 0, waits)),
    [1_000, 2_000, 4_000, 64_000, 120_000, 120_000],
  );
  t.is(decideWait(1, 30_000, waits), 30_000);
  t.is(decideWait(5, 1_000, waits), 16_000);
  t.is(decideWait(1, 3_600_000, waits), 120_000);
});
