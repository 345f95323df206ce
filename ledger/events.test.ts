import { setImmediate } from "node:timers/promises";
import test from "ava";
import type { BuildEvent } from "#sdk/messages.ts";
import { buildOf, claim, planOf, push, setUp } from "./test-support/set-up.ts";

const fetched: BuildEvent = { v: 1, at: 1, type: "fetched", ms: 12 };
/** One of each type: the compiler asks for those that are new. */
const ofEachType: { readonly [Type in BuildEvent["type"]]: Extract<BuildEvent, { type: Type }> } = {
  fetched: { v: 1, at: 1, type: "fetched", ms: 12 },
  planned: {
    v: 1,
    at: 2,
    type: "planned",
    repository: "shop",
    sha: "a",
    functions: [{ name: "cart", lang: "node", action: "build" }],
  },
  note: { v: 1, at: 2, type: "note", text: "functions.cart.limits is ignored" },
  waiting: { v: 1, at: 3, type: "waiting", reason: "another build runs" },
  function: {
    v: 1,
    at: 4,
    type: "function",
    name: "cart",
    step: "failed",
    ms: 3,
    reason: "exit 1",
  },
  log: { v: 1, at: 5, type: "log", name: "cart", text: "line\u0000\n" },
  ended: {
    v: 1,
    at: 6,
    type: "ended",
    state: "live",
    reason: "",
    ms: 9,
    urls: [{ name: "cart", url: "http://localhost/function/alice-cart" }],
  },
};
const every: readonly BuildEvent[] = Object.values(ofEachType);

function setUpBuild(t: Parameters<typeof setUp>[0]) {
  const house = setUp(t);
  return { house, ledger: house.ledger, build: buildOf(house.ledger.acceptPush(push())) };
}

test("events are read back whole and in order, from where the reader was", (t) => {
  const { house, ledger, build } = setUpBuild(t);
  for (const event of every) ledger.addEvent(build.id, event);

  const told = house.reopen().listEvents(build.id);

  t.deepEqual(
    told.map(({ event }) => event),
    [...every],
  );
  t.deepEqual(
    told.map(({ sequence }) => sequence),
    every.map((_, index) => index + 1),
  );
  t.deepEqual(house.ledger.listEvents(build.id, 4), told.slice(4));
});

test("an event of an unknown build is refused", (t) => {
  const { ledger } = setUp(t);

  t.throws(() => ledger.addEvent("unknown", fetched), { message: /FOREIGN KEY/ });
});

test("who watches a build hears of each committed change of it and of no other", async (t) => {
  const { ledger, build } = setUpBuild(t);
  const other = buildOf(ledger.acceptPush(push({ branch: "dev" })));
  const states: (string | undefined)[] = [];
  ledger.watch(build.id, () => states.push(ledger.findBuild(build.id)?.state));
  const hear = async (act: () => void) => {
    act();
    await setImmediate();
    return states.splice(0);
  };

  t.deepEqual(await hear(() => ledger.addEvent(build.id, fetched)), ["accepted"]);
  t.deepEqual(await hear(() => ledger.addEvent(other.id, fetched)), []);
  const held = claim(ledger, build);
  await setImmediate();
  states.splice(0);
  t.deepEqual(await hear(() => ledger.storePlan(held, planOf(), [])), ["planned"]);
  t.deepEqual(await hear(() => ledger.acceptPush(push())), ["superseded"]);
});

test("a write that failed is not heard, and who left hears nothing", async (t) => {
  const { ledger, build } = setUpBuild(t);
  const held = claim(ledger, build);
  await setImmediate();
  let heard = 0;
  const unwatch = ledger.watch(build.id, () => {
    heard += 1;
  });

  t.throws(() => ledger.setState(held, "building"));
  await setImmediate();
  t.is(heard, 0);

  ledger.addEvent(build.id, fetched);
  unwatch();
  await setImmediate();
  t.is(heard, 0);
});
