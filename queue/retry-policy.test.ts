import test from "ava";
import { readRetryPolicy } from "./retry-policy.ts";

const defaults = { attempts: 10, firstDelayMs: 1_000, maxDelayMs: 120_000 };
const annotated = (values: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`com.openfaas.retry.${key}`, value]),
  );

test("without annotations the platform's values hold", (t) => {
  t.deepEqual(readRetryPolicy({ topic: "x" }, defaults), {
    policy: undefined,
    ignored: [],
  });
});

test("each annotation replaces one value", (t) => {
  const values = { attempts: "3", codes: "429, 503", min_wait: "5s", max_wait: "1m" };

  t.deepEqual(readRetryPolicy(annotated(values), defaults), {
    policy: { attempts: 3, firstDelayMs: 5_000, maxDelayMs: 60_000, codes: [429, 503] },
    ignored: [],
  });
});

test("a first wait above the longest one is waited each time", (t) => {
  const { policy } = readRetryPolicy(annotated({ min_wait: "10m" }), defaults);

  t.like(policy, { firstDelayMs: 600_000, maxDelayMs: 600_000 });
});

for (const [key, value] of [
  ["attempts", "0"],
  ["attempts", "101"],
  ["attempts", "many"],
  ["codes", "5xx"],
  ["codes", ""],
  ["codes", "429,,503"],
  ["codes", Array(51).fill("500").join()],
  ["min_wait", "soon"],
  ["min_wait", "0s"],
  ["max_wait", "25h"],
  ["max_wait", "-1s"],
] as const) {
  test(`${key} ${JSON.stringify(value.slice(0, 12))} is ignored and named`, (t) => {
    const { policy, ignored } = readRetryPolicy(annotated({ [key]: value }), defaults);

    t.is(policy, undefined);
    t.is(ignored.length, 1);
    t.regex(ignored[0] ?? "", new RegExp(`^com\\.openfaas\\.retry\\.${key} is ".*; expected `));
  });
}
