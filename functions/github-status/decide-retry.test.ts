import test from "ava";
import { HttpError } from "#sdk/errors.ts";
import { decideRetry } from "./decide-retry.ts";

const NOW = Date.UTC(2026, 0, 1);

/** As octokit throws it. */
function failure(status: number, headers: Readonly<Record<string, string>> = {}): Error {
  return Object.assign(new Error(`HTTP ${status}`), { status, response: { status, headers } });
}

for (const [attempts, pauseMs] of [
  [0, 1_000],
  [1, 2_000],
  [5, 32_000],
  [10, 600_000],
  [100, 600_000],
] as const) {
  test(`after ${attempts} failed attempts the pause is ${pauseMs} ms`, (t) => {
    t.deepEqual(decideRetry(failure(503), attempts, NOW), { retryAt: NOW + pauseMs });
  });
}

test("a day of failures is enough", (t) => {
  t.is(decideRetry(failure(503), 150, NOW), "never");
});

test("Retry-After may be a date, is believed up to two hours, and never shortens to nothing", (t) => {
  const at = (text: string) => decideRetry(failure(429, { "retry-after": text }), 0, NOW);

  t.deepEqual(at(new Date(NOW + 45_000).toUTCString()), { retryAt: NOW + 45_000 });
  t.deepEqual(at("999999"), { retryAt: NOW + 7_200_000 });
  t.deepEqual(at("0"), { retryAt: NOW + 1_000 });
  t.deepEqual(at("soon"), { retryAt: NOW + 1_000 });
});

test("a broken connection passes, a missing App does not", (t) => {
  t.deepEqual(decideRetry(new TypeError("fetch failed"), 0, NOW), { retryAt: NOW + 1_000 });
  t.is(decideRetry(new HttpError(422, "no-app", "No App"), 0, NOW), "never");
});

for (const status of [400, 404, 410, 422]) {
  test(`${status} is for good`, (t) => {
    t.is(decideRetry(failure(status), 0, NOW), "never");
  });
}
