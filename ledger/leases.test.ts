import test from "ava";
import type { BuildEvent } from "#sdk/messages.ts";
import { ClaimLost } from "./errors.ts";
import {
  buildOf,
  claim,
  deployUp,
  LEASE_MS,
  plannedFunction,
  planOf,
  push,
  setUp,
  shaOf,
} from "./test-support/set-up.ts";

// Line 4.
test("what is open and not leased is listed, oldest first", (t) => {
  const { ledger, wait } = setUp(t);
  const waiting = buildOf(ledger.acceptPush(push({ branch: "a" })));
  const leased = buildOf(ledger.acceptPush(push({ branch: "b" })));
  const ended = buildOf(ledger.acceptPush(push({ branch: "c" })));
  claim(ledger, leased);
  ledger.cancelBuild(ended.id, "not wanted");
  const listed = () => ledger.listUnleased().map(({ id }) => id);
  t.deepEqual(listed(), [waiting.id]);

  wait(LEASE_MS);

  t.deepEqual(listed(), [waiting.id, leased.id]);
});

// Line 5.
test("a build is claimed by one worker at a time, the same worker included", (t) => {
  const { ledger, now } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));

  const held = claim(ledger, build);

  t.like(held.build, { id: build.id, attempts: 1, startedAt: now(), state: "accepted" });
  t.is(ledger.claimBuild(build.id, "another", LEASE_MS), undefined);
  t.is(ledger.claimBuild(build.id, "worker", LEASE_MS), undefined);
  t.is(ledger.claimBuild("unknown", "worker", LEASE_MS), undefined);
});

// Line 5.
test("a renewed lease outlives its first deadline", (t) => {
  const { ledger, wait } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));
  const held = claim(ledger, build);

  wait(LEASE_MS - 1);
  t.true(ledger.renewClaim(held, LEASE_MS));
  wait(LEASE_MS - 1);

  t.is(ledger.claimBuild(build.id, "another", LEASE_MS), undefined);
});

const voidings = {
  "its lease ran out and another claimed it": (house: ReturnType<typeof setUp>, id: string) => {
    house.wait(LEASE_MS);
    requireClaimed(house.ledger.claimBuild(id, "another", LEASE_MS));
  },
  "leases were voided": ({ ledger }: ReturnType<typeof setUp>) => ledger.voidLeases(),
  "it was cancelled": ({ ledger }: ReturnType<typeof setUp>, id: string) => {
    ledger.cancelBuild(id, "not wanted");
  },
  "a newer push superseded it": ({ ledger }: ReturnType<typeof setUp>) => {
    ledger.acceptPush(push({ sha: shaOf(2) }));
  },
};

function requireClaimed(claimed: unknown): void {
  if (claimed === undefined) throw new Error("The other worker was not granted the build");
}

for (const [what, happen] of Object.entries(voidings)) {
  // Line 5.
  test(`every write under a claim stops once ${what}`, (t) => {
    const house = setUp(t);
    const { ledger } = house;
    const build = buildOf(ledger.acceptPush(push()));
    const held = claim(ledger, build);
    ledger.storePlan(held, planOf(), []);
    happen(house, build.id);
    const before = ledger.findBuild(build.id);

    t.false(ledger.renewClaim(held, LEASE_MS));
    t.throws(() => ledger.storePlan(held, planOf(), []), { instanceOf: ClaimLost });
    t.throws(() => ledger.setState(held, "built"), { instanceOf: ClaimLost });
    t.throws(() => ledger.beginDeploying(held), { instanceOf: ClaimLost });
    t.throws(() => ledger.endBuild(held, "live", "", []), { instanceOf: ClaimLost });
    ledger.releaseClaim(held);

    t.deepEqual(ledger.findBuild(build.id), before);
  });
}

test("a build that was given back is claimed anew, and the old claim is void", (t) => {
  const { ledger } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));
  const held = claim(ledger, build);

  ledger.releaseClaim(held);

  t.false(ledger.renewClaim(held, LEASE_MS));
  t.is(claim(ledger, build).build.attempts, 2);
});

// Line 12.
test("a build waits while another of its branch is leased or deploying, whatever became of the worker", (t) => {
  const { ledger, wait } = setUp(t);
  const older = buildOf(ledger.acceptPush(push({ sha: shaOf(1) })));
  const held = claim(ledger, older);
  deployUp(ledger, held);
  const newer = buildOf(ledger.acceptPush(push({ sha: shaOf(2) })));
  t.is(ledger.claimBuild(newer.id, "worker", LEASE_MS), undefined);

  wait(LEASE_MS);

  t.is(ledger.claimBuild(newer.id, "worker", LEASE_MS), undefined);
  const again = claim(ledger, older);
  t.true(ledger.beginDeploying(again));
  ledger.endBuild(again, "live", "", []);
  t.is(claim(ledger, newer).build.id, newer.id);
});

test("another branch and another repository do not wait", (t) => {
  const { ledger } = setUp(t);
  claim(ledger, buildOf(ledger.acceptPush(push())));
  const other = buildOf(ledger.acceptPush(push({ branch: "dev" })));

  t.is(claim(ledger, other).build.branch, "dev");
});

for (const loses of ["its worker dies", "it is given back"]) {
  // Line 13.
  test(`the sixth claim fails a build five times begun, each time ${loses}, and says so on the commit`, (t) => {
    const { ledger, wait } = setUp(t);
    const again = push();
    const build = buildOf(ledger.acceptPush(again));
    for (let attempt = 1; attempt <= 5; attempt++) {
      const held = claim(ledger, build);
      t.is(held.build.attempts, attempt);
      if (loses === "its worker dies") wait(LEASE_MS);
      else ledger.releaseClaim(held);
    }

    const sixth = ledger.claimBuild(build.id, "worker", LEASE_MS);

    t.is(sixth, undefined);
    const reason =
      "gave up fetching: 5 attempts ended without a result; push again or redeliver to retry";
    t.like(ledger.findBuild(build.id), { state: "failed", reason, attempts: 5 });
    t.like(ledger.listStatuses(build.repositoryId, build.sha), [
      { context: "stack-deploy", state: "error", description: reason, buildId: build.id },
    ]);
    t.like(buildOf(ledger.acceptPush(again)), { generation: 2, attempts: 0, state: "accepted" });
  });
}

type Told = BuildEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, "v" | "at">
    : never
  : never;
type Step = Extract<BuildEvent, { type: "function" }>["step"];

const planned: readonly Told[] = [
  { type: "fetched", ms: 1 },
  { type: "planned", repository: "shop", sha: shaOf(1), functions: [] },
];
const step = (name: string, step: Step): Told => ({ type: "function", name, step });
const broken = (name: string) => step(name, "failed");

const GIVEN_UP: readonly {
  readonly during: string;
  readonly last: readonly Told[];
  readonly ready?: boolean;
}[] = [
  { during: "fetching", last: [] },
  { during: "reading stack.yml", last: [{ type: "fetched", ms: 1 }] },
  { during: "building cart, pay", last: [...planned, step("cart", "building"), broken("pay")] },
  { during: "building pay", last: [...planned, step("cart", "built"), step("pay", "building")] },
  {
    during: "building a, b, c and 2 more",
    last: [...planned, ...["a", "b", "c", "d", "e"].map((name) => step(name, "building"))],
  },
  { during: "before deploying", last: [...planned, step("cart", "built")], ready: true },
];

for (const { during, last, ready = false } of GIVEN_UP) {
  test(`a build that is given up says that it was ${during}, whatever earlier attempts did`, (t) => {
    const { ledger } = setUp(t);
    const build = buildOf(ledger.acceptPush(push()));
    for (let attempt = 1; attempt <= 5; attempt++) {
      const held = claim(ledger, build);
      const events = attempt === 5 ? last : [...planned, broken("earlier")];
      for (const event of events) ledger.addEvent(build.id, { v: 1, at: 0, ...event });
      ledger.storePlan(held, planOf(plannedFunction("cart")), []);
      if (ready) ledger.setState(held, "built");
      ledger.releaseClaim(held);
    }

    ledger.claimBuild(build.id, "worker", LEASE_MS);

    const reason = `gave up ${during}: 5 attempts ended without a result; push again or redeliver to retry`;
    t.like(ledger.findBuild(build.id), { state: "failed", reason });
    t.like(ledger.listEvents(build.id).at(-1)?.event, {
      type: "ended",
      state: "failed",
      reason,
      fault: "platform",
    });
    t.like(ledger.listStatuses(build.repositoryId, build.sha)[0], { description: reason });
    t.true(reason.length <= 140);
  });
}

test("a build that is deploying is claimed however often its worker died: its end has to be told", (t) => {
  const { ledger } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));
  deployUp(ledger, claim(ledger, build));

  for (let attempt = 2; attempt <= 9; attempt++) {
    ledger.voidLeases();
    t.like(claim(ledger, build).build, { state: "deploying", attempts: attempt });
  }
});

test("an attempt that met a source that is down is not counted", (t) => {
  const { ledger } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));

  for (let attempt = 1; attempt <= 9; attempt++) ledger.releaseClaim(claim(ledger, build), true);

  t.like(ledger.findBuild(build.id), { state: "accepted", attempts: 0 });
});
