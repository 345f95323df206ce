import test from "ava";
import { readDrain } from "./read-drain.ts";

for (const [write_timeout, ms] of [
  ["2s", 3_000],
  ["5m", 301_000],
  ["500h", 3_600_000],
  ["soon", 30_000],
] as const)
  test(`an old version with a write_timeout of ${write_timeout} may take ${ms} ms to finish`, (t) => {
    t.is(readDrain({ envVars: { write_timeout } }, 30_000), ms);
  });

test("without a write_timeout the engine's own time counts", (t) => {
  t.is(readDrain({}, 30_000), 30_000);
});
