import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { createGiveWay } from "./give-way.ts";

const ALIVE = new AbortController().signal;

/** Keep the event loop busy, with time for others every few milliseconds. */
async function compute(ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const pause = performance.now() + 10;
    while (performance.now() < pause);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test.serial("after a quiet time work begins at once", async (t) => {
  const giveWay = createGiveWay();
  await sleep(100);

  let begun = false;
  const beginning = giveWay(ALIVE).then(() => {
    begun = true;
  });
  await new Promise((resolve) => setImmediate(resolve));

  t.true(begun);
  await beginning;
});

test.serial(
  "while the process is busy work waits, in its order, and goes on all the same",
  async (t) => {
    const giveWay = createGiveWay();
    await compute(100);
    const begun: string[] = [];

    const beginning = ["a", "b", "c"].map((name) => giveWay(ALIVE).then(() => begun.push(name)));
    await compute(150);
    const early = [...begun];
    await compute(1_500);
    await Promise.all(beginning);

    t.deepEqual(early, []);
    t.deepEqual(begun, ["a", "b", "c"]);
  },
);

test.serial("who stops does not wait", async (t) => {
  const giveWay = createGiveWay();
  await compute(100);
  const stopped = AbortSignal.abort();
  let isOver = false;

  const computing = compute(400).then(() => {
    isOver = true;
  });
  await giveWay(stopped);

  t.false(isOver);
  await computing;
});
