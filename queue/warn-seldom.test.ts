import test from "ava";
import { createLog } from "#sdk/log.ts";
import { createSeldomWarning } from "./warn-seldom.ts";

test("what goes wrong ten times a second is told at once, then once a minute with a count", (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)));
  let now = 0;
  const warn = createSeldomWarning(log, "queue-worker-failed", () => now);

  for (; now < 60_000; now += 100) warn("connect ECONNREFUSED");
  warn("connect ECONNREFUSED");
  warn("another");

  t.deepEqual(
    lines.map(({ error, repeated }) => [error, repeated]),
    [
      ["connect ECONNREFUSED", undefined],
      ["connect ECONNREFUSED", 599],
      ["another", undefined],
    ],
  );
});
