import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { createEntrance, type Entrance } from "./entrance.ts";

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

/** An entrance at which that many jobs have just come. */
function openAfter(jobs: number) {
  const entrance = createEntrance();
  for (let job = 0; job < jobs; job += 1) entrance.arrived();
  return entrance;
}

/** Whether a job begins before anything else is done. */
async function beginsAtOnce(begin: Entrance["begin"]): Promise<boolean> {
  let begun = false;
  const beginning = begin(ALIVE).then(() => {
    begun = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  const atOnce = begun;
  await beginning;
  return atOnce;
}

test.serial("without a flood jobs begin at once, however busy the process is", async (t) => {
  const { begin } = openAfter(60);
  await compute(100);
  const begun: string[] = [];

  const beginning = ["a", "b"].map((name) => begin(ALIVE).then(() => begun.push(name)));
  await new Promise((resolve) => setImmediate(resolve));

  t.deepEqual(begun, ["a", "b"]);
  await Promise.all(beginning);
});

test.serial("in a flood jobs begin at once while the process has time", async (t) => {
  const { begin } = openAfter(61);
  await sleep(100);

  t.true(await beginsAtOnce(begin));
});

test.serial("in a flood that keeps the process busy they wait, in order, and go on", async (t) => {
  const { begin } = openAfter(61);
  await compute(100);
  const begun: string[] = [];
  const asked = performance.now();
  let waitedMs = Number.POSITIVE_INFINITY;

  const beginning = ["a", "b", "c"].map((name) =>
    begin(ALIVE).then(() => {
      begun.push(name);
      waitedMs = Math.min(waitedMs, performance.now() - asked);
    }),
  );
  await compute(1_500);
  await Promise.all(beginning);

  t.deepEqual(begun, ["a", "b", "c"]);
  t.true(waitedMs > 400, `the first began after ${waitedMs} ms`);
});

test.serial("who stops does not wait", async (t) => {
  const { begin } = openAfter(61);
  await compute(100);
  const stopped = AbortSignal.abort();
  let isOver = false;

  const computing = compute(400).then(() => {
    isOver = true;
  });
  await begin(stopped);

  t.false(isOver);
  await computing;
});

test.serial("two seconds after its last job a flood is over", async (t) => {
  const { begin } = openAfter(1_000);
  await sleep(2_100);
  await compute(100);

  t.true(await beginsAtOnce(begin));
});
