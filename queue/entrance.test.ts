import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { createEntrance } from "./entrance.ts";

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
  const { begin } = createEntrance(16);
  await sleep(100);

  let begun = false;
  const beginning = begin(ALIVE).then(() => {
    begun = true;
  });
  await new Promise((resolve) => setImmediate(resolve));

  t.true(begun);
  await beginning;
});

test.serial(
  "while the process is busy work waits, in its order, and goes on all the same",
  async (t) => {
    const { begin } = createEntrance(16);
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
    await compute(800);
    await Promise.all(beginning);

    t.deepEqual(begun, ["a", "b", "c"]);
    t.true(waitedMs > 90, `the first began after ${waitedMs} ms`);
  },
);

test.serial("who stops does not wait", async (t) => {
  const { begin } = createEntrance(16);
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

test.serial("few are taken beyond those that run, and never more than there may be", async (t) => {
  const { begin, end, onRoom } = createEntrance(4);
  const rooms: number[] = [];
  await sleep(100);

  onRoom((room) => rooms.push(room));
  for (let job = 0; job < 3; job += 1) await begin(ALIVE);
  end();
  end();

  t.deepEqual(rooms, [2, 3, 4, 4, 4, 3]);
});
