import test from "ava";
import { createBuildSlots } from "./build-slots.ts";

const NEVER = new AbortController().signal;

test("owners take turns: a flood of one moves another's start by one build", async (t) => {
  const slots = createBuildSlots(1, 100);
  const started: string[] = [];
  const run = async (owner: string, name: string) => {
    const release = await slots.take(owner, NEVER, () => {});
    started.push(name);
    await Promise.resolve();
    release();
  };

  await Promise.all([
    ...Array.from({ length: 5 }, (_, index) => run("alice", `alice ${index}`)),
    run("bob", "bob 0"),
    run("bob", "bob 1"),
  ]);

  t.deepEqual(started, ["alice 0", "bob 0", "alice 1", "bob 1", "alice 2", "alice 3", "alice 4"]);
});

test("one owner's builds start in the order they came, two at a time", async (t) => {
  const slots = createBuildSlots(2, 100);
  let running = 0;
  let most = 0;
  const started: number[] = [];
  const run = async (index: number) => {
    const release = await slots.take("alice", NEVER, () => {});
    started.push(index);
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    release();
  };

  await Promise.all(Array.from({ length: 6 }, (_, index) => run(index)));

  t.is(most, 2);
  t.deepEqual(started, [0, 1, 2, 3, 4, 5]);
});

test("one who waits hears its place, and again when it changes", async (t) => {
  const slots = createBuildSlots(1, 100);
  const places: number[] = [];
  const first = await slots.take("alice", NEVER, () => {});
  const second = slots.take("alice", NEVER, () => {});
  const third = slots.take("alice", NEVER, (before) => places.push(before));

  first();
  (await second)();
  (await third)();

  t.deepEqual(places, [1, 0]);
});

test("one who gives up frees its place and takes no slot", async (t) => {
  const slots = createBuildSlots(1, 100);
  const leaving = new AbortController();
  const release = await slots.take("alice", NEVER, () => {});
  const giving = slots.take("alice", leaving.signal, () => {});
  const staying = slots.take("alice", NEVER, () => {});

  leaving.abort(new Error("gone"));
  release();
  release();

  await t.throwsAsync(giving, { message: "gone" });
  (await staying)();
  (await slots.take("bob", NEVER, () => {}))();
});

test("a full queue refuses with 429", async (t) => {
  const slots = createBuildSlots(1, 1);
  const release = await slots.take("alice", NEVER, () => {});
  const waiting = slots.take("alice", NEVER, () => {});

  t.like(
    t.throws(() => slots.refuseWhenFull()),
    { status: 429 },
  );
  release();
  (await waiting)();
  t.notThrows(() => slots.refuseWhenFull());
});

test("an owner with all the builds it may have waits, and another one does not wait behind it", async (t) => {
  const slots = createBuildSlots(3, 100, 2);
  const started: string[] = [];
  const take = async (owner: string) => {
    const release = await slots.take(owner, NEVER, () => {});
    started.push(owner);
    return release;
  };

  const first = await take("alice");
  await take("alice");
  const third = take("alice");
  await take("bob");
  t.deepEqual(started, ["alice", "alice", "bob"]);
  first();
  await third;

  t.deepEqual(started, ["alice", "alice", "bob", "alice"]);
});
