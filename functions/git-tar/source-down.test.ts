import test from "ava";
import { FetchError } from "./fetch-error.ts";
import { isSourceDown } from "./source-down.ts";

const refusal = (status: number, headers: Record<string, string> = {}) =>
  Object.assign(new Error("refused"), { status, response: { headers } });

for (const [title, error, expected] of [
  ["a server error", refusal(502), true],
  ["too many requests", refusal(429), true],
  ["a secondary limit", refusal(403, { "retry-after": "30" }), true],
  ["an exhausted limit", refusal(403, { "x-ratelimit-remaining": "0" }), true],
  ["a suspended installation", refusal(403, { "x-ratelimit-remaining": "4999" }), false],
  ["a repository that is gone", refusal(404), false],
  ["nobody listening", new TypeError("fetch failed"), true],
  ["no answer in time", new DOMException("late", "TimeoutError"), true],
  ["a caller who went away", new DOMException("gone", "AbortError"), false],
  ["git that cannot connect", new FetchError("unreachable", "the source cannot be reached"), true],
  ["git without access", new FetchError("no-access", "refused"), false],
  ["a full disk", new FetchError("disk-full", "the disk is full"), false],
  ["a fault of ours", new Error("bug"), false],
] as const)
  test(`${title} ${expected ? "is the source being down" : "is something else"}`, (t) => {
    t.is(isSourceDown(error), expected);
  });
