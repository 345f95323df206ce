import test from "ava";
import fc from "fast-check";
import { ClaimLost } from "./errors.ts";
import { openLedger } from "./ledger.ts";
import { branchOf, findBreaches, isOpen, listRunning } from "./test-support/invariants.ts";
import { LEASE_MS, planOf, push, shaOf } from "./test-support/set-up.ts";
import type { Build, Claim } from "./types/build.ts";
import type { Ledger } from "./types/ledger.ts";

const BRANCHES = ["main", "dev"] as const;

/** One step of somebody: a source, a worker, a person, the power company. Numbers pick from what there is. */
const step = fc.oneof(
  fc.record({ do: fc.constant("push"), branch: fc.nat(1), sha: fc.nat(3) }),
  fc.record({ do: fc.constant("redeliver"), which: fc.nat() }),
  fc.record({ do: fc.constant("claim"), which: fc.nat() }),
  fc.record({ do: fc.constant("plan"), which: fc.nat() }),
  fc.record({ do: fc.constant("deploy"), which: fc.nat() }),
  fc.record({ do: fc.constant("end"), which: fc.nat(), state: fc.constantFrom("live", "failed") }),
  fc.record({ do: fc.constant("release"), which: fc.nat() }),
  fc.record({ do: fc.constant("cancel"), which: fc.nat() }),
  fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(1, LEASE_MS / 2, LEASE_MS) }),
  fc.record({ do: fc.constant("kill") }),
) satisfies fc.Arbitrary<Step>;

type Step =
  | { do: "push"; branch: number; sha: number }
  | { do: "redeliver" | "claim" | "plan" | "deploy" | "release" | "cancel"; which: number }
  | { do: "end"; which: number; state: "live" | "failed" }
  | { do: "wait"; ms: number }
  | { do: "kill" };

/** The small model: what was seen to end, and which claims should still be worth something. */
type World = {
  now: number;
  readonly ledger: Ledger;
  readonly deliveries: ReturnType<typeof push>[];
  readonly claims: Claim[];
  /** As first seen ended. */
  readonly ended: Map<string, Build>;
};

test("any interleaving of pushes, workers, deaths and cancels keeps the promises", (t) => {
  const property = fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
    const world = createWorld();
    for (const one of steps) {
      takeStep(world, one);
      check(world);
    }
    drain(world);
    check(world);
    world.ledger.close();
  });

  t.notThrows(() => fc.assert(property, { numRuns: Number(process.env.MODEL_RUNS ?? 400) }));
});

function createWorld(): World {
  const now = (): number => world.now;
  const world: World = {
    now: 1_000_000,
    ledger: openLedger({ path: ":memory:", now }),
    deliveries: [],
    claims: [],
    ended: new Map(),
  };
  return world;
}

function takeStep(world: World, one: Step): void {
  const { ledger, deliveries, claims } = world;
  switch (one.do) {
    case "push": {
      const pushed = push({ branch: BRANCHES[one.branch] ?? "main", sha: shaOf(one.sha) });
      deliveries.push(pushed);
      acceptAndExpectNewest(ledger, pushed);
      return;
    }
    case "redeliver": {
      const again = pick(deliveries, one.which);
      if (again !== undefined) ledger.acceptPush(again);
      return;
    }
    case "claim":
      claimAndExpectAlone(world, one.which);
      return;
    case "plan":
      write(world, one.which, (held) => ledger.storePlan(held, planOf(), []));
      return;
    case "deploy":
      write(world, one.which, (held) => {
        ledger.storePlan(held, planOf(), []);
        ledger.beginDeploying(held);
      });
      return;
    case "end":
      write(world, one.which, (held) => endAsAllowed(ledger, held, one.state));
      return;
    case "release": {
      const held = pick(claims, one.which);
      if (held !== undefined) ledger.releaseClaim(held);
      return;
    }
    case "cancel": {
      const build = pick(ledger.listBuilds({ limit: 100 }), one.which);
      if (build !== undefined) ledger.cancelBuild(build.id, "cancelled");
      return;
    }
    case "wait":
      world.now += one.ms;
      return;
    case "kill":
      ledger.voidLeases();
      return;
  }
}

/** A worker ends a build live only after it switched. */
function endAsAllowed(ledger: Ledger, held: Claim, state: "live" | "failed"): void {
  if (state === "live") {
    ledger.storePlan(held, planOf(), []);
    if (!ledger.beginDeploying(held)) return;
  }
  ledger.endBuild(held, state, state, []);
}

function acceptAndExpectNewest(ledger: Ledger, pushed: ReturnType<typeof push>): void {
  const { build } = ledger.acceptPush(pushed);
  const others = ledger
    .listBuilds({ limit: 100 })
    .filter((other) => branchOf(other) === `${pushed.repository.id} ${pushed.branch}`);
  expect(build?.generation === Math.max(...others.map(({ generation }) => generation)), "newest");
}

/** Granted exactly when it is open, nobody has it, nobody runs on its branch and it has not given up. */
function claimAndExpectAlone({ ledger, claims }: World, which: number): void {
  const build = pick(ledger.listBuilds({ limit: 100 }), which);
  if (build === undefined) return;
  const isFree = ledger.listUnleased().some(({ id }) => id === build.id);
  const isAlone = !listRunning(ledger).some(
    (other) => other.id !== build.id && branchOf(other) === branchOf(build),
  );

  const claim = ledger.claimBuild(build.id, "worker", LEASE_MS);

  expect((claim !== undefined) === (isFree && isAlone && !isSpent(build)), "granted");
  if (claim !== undefined) claims.push(claim);
}

/** A worker writes under a claim it may long have lost: then nothing may change. */
function write({ ledger, claims }: World, which: number, act: (held: Claim) => void): void {
  const held = pick(claims, which);
  if (held === undefined) return;
  const before = ledger.findBuild(held.build.id);
  const isNewest = claims.findLast(({ build }) => build.id === held.build.id) === held;
  try {
    act(held);
    expect(isNewest && before !== undefined && isOpen(before), "a void claim was good for a write");
  } catch (error) {
    if (!(error instanceof ClaimLost)) throw error;
    const after = ledger.findBuild(held.build.id);
    expect(JSON.stringify(after) === JSON.stringify(before), "a lost claim left a trace");
  }
}

function check({ ledger, ended }: World): void {
  const breaches = findBreaches(ledger);
  expect(breaches.length === 0, breaches.join("; "));

  const running = Map.groupBy(listRunning(ledger), branchOf);
  for (const [branch, builds] of running) expect(builds.length === 1, `two run on ${branch}`);

  for (const build of ledger.listBuilds({ limit: 100 }).filter((one) => !isOpen(one))) {
    const first = ended.get(build.id) ?? build;
    expect(JSON.stringify(build) === JSON.stringify(first), `${build.id} changed after its end`);
    ended.set(build.id, first);
  }
}

/** All workers die, and new ones do their duty: whatever is the newest of its branch gets its turn. */
function drain(world: World): void {
  const { ledger } = world;
  ledger.voidLeases();
  const newest = [...Map.groupBy(ledger.listBuilds({ limit: 100 }), branchOf).values()].flatMap(
    ([first]) => (first !== undefined && isOpen(first) ? [first] : []),
  );
  for (const { id } of ledger.listUnleased()) {
    const claim = ledger.claimBuild(id, "worker", LEASE_MS);
    if (claim !== undefined) endAsAllowed(ledger, claim, "live");
  }

  expect(ledger.listUnleased().length === 0, "something is stuck");
  for (const build of newest) {
    const state = ledger.findBuild(build.id)?.state;
    expect(state === (isSpent(build) ? "failed" : "live"), `the newest ended ${state}`);
  }
}

/** One that is deploying is carried to its end, however many attempts that takes. */
function isSpent({ attempts, state }: Build): boolean {
  return attempts >= 5 && state !== "deploying";
}

function pick<T>(items: readonly T[], which: number): T | undefined {
  return items[which % items.length];
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
