import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import test from "ava";
import { withDeadline } from "./with-deadline.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

test("a deadline comes although nobody listens while memory is cleaned up", async (t) => {
  const signal = withDeadline(300, new AbortController().signal);

  await cleanUp(500);

  t.true(signal.aborted);
  t.is(signal.reason.name, "TimeoutError");
});

test("the first of the signals aborts with its own reason", async (t) => {
  const leaving = new AbortController();
  const signal = withDeadline(60_000, new AbortController().signal, leaving.signal);

  await cleanUp(50);
  t.false(signal.aborted);
  leaving.abort(new Error("gone"));

  t.is(signal.reason.message, "gone");
});

async function cleanUp(ms: number): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    await sleep(10);
    collect();
  }
}
