import test from "ava";
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
import type { Build } from "./types/build.ts";
import type { Ledger } from "./types/ledger.ts";

let commits = 100;

function accept(ledger: Ledger): { readonly build: Build; readonly superseded: readonly string[] } {
  const accepted = ledger.acceptPush(push({ sha: shaOf(++commits) }));
  return { build: buildOf(accepted), superseded: accepted.superseded };
}

/** Three running builds of the branch, each ended by the next; the fourth runs. */
function supersedeThree(ledger: Ledger): Build {
  let { build } = accept(ledger);
  for (let turn = 1; turn <= 3; turn++) {
    claim(ledger, build);
    const newer = accept(ledger);
    if (newer.superseded[0] !== build.id) throw new Error(`Build ${turn} was not superseded`);
    build = newer.build;
  }
  claim(ledger, build);
  return build;
}

// Line 12.
test("a newer push ends a waiting and a running build at once and says by which commit", (t) => {
  const { ledger } = setUp(t);
  const running = accept(ledger).build;
  const held = claim(ledger, running);
  const planned = { context: "cart", state: "pending", description: "", targetUrl: "u" } as const;
  ledger.storePlan(held, planOf(plannedFunction("cart")), [planned]);

  const { build, superseded } = accept(ledger);

  const reason = `superseded by ${build.sha.slice(0, 7)}`;
  t.deepEqual(superseded, [running.id]);
  t.like(ledger.findBuild(running.id), { state: "superseded", reason });
  t.like(ledger.listStatuses(running.repositoryId, running.sha), [
    { context: "cart", state: "error", description: reason, targetUrl: "u" },
    { context: "stack-deploy", state: "error", description: reason },
  ]);
  t.like(ledger.listEvents(running.id), [
    { event: { type: "ended", state: "superseded", reason, urls: [] } },
  ]);
  t.is(claim(ledger, build).build.id, build.id);
});

// Lines 8 and 12.
test("a deploying build is let finish; of the builds that wait for it only the newest is left", (t) => {
  const { ledger } = setUp(t);
  const deploying = accept(ledger).build;
  const held = claim(ledger, deploying);
  deployUp(ledger, held);

  const second = accept(ledger);
  const third = accept(ledger);

  t.deepEqual(second.superseded, []);
  t.deepEqual(third.superseded, [second.build.id]);
  t.false(ledger.cancelBuild(deploying.id, "stop"));
  ledger.endBuild(held, "live", "", []);
  t.is(claim(ledger, third.build).build.id, third.build.id);
});

// Line 12.
test("after three supersedes in a row the running build goes live and newer ones wait", (t) => {
  const { ledger } = setUp(t);
  const fourth = supersedeThree(ledger);

  const fifth = accept(ledger);
  const sixth = accept(ledger);

  t.deepEqual(fifth.superseded, []);
  t.deepEqual(sixth.superseded, [fifth.build.id]);
  t.is(ledger.findBuild(fourth.id)?.state, "accepted");
  t.is(ledger.claimBuild(sixth.build.id, "worker", LEASE_MS), undefined);
});

// Lines 8 and 12.
test("a build that was let through may deploy though a newer one waits, and starts the row anew", (t) => {
  const { ledger, wait } = setUp(t);
  const fourth = supersedeThree(ledger);
  const fifth = accept(ledger).build;
  wait(LEASE_MS);

  const held = claim(ledger, fourth);
  deployUp(ledger, held);
  ledger.endBuild(held, "live", "", []);
  claim(ledger, fifth);
  const sixth = accept(ledger);

  t.is(ledger.findLive(fourth.repositoryId, "main")?.id, fourth.id);
  t.deepEqual(sixth.superseded, [fifth.id]);
});

test("pushes that only replace one another in the queue do not count towards the row", (t) => {
  const { ledger } = setUp(t);
  for (let turn = 1; turn <= 5; turn++) accept(ledger);
  const running = accept(ledger).build;
  claim(ledger, running);

  const { superseded } = accept(ledger);

  t.deepEqual(superseded, [running.id]);
});

test("a build that was let through and lost its worker is ended when the newer one is claimed", (t) => {
  const { ledger } = setUp(t);
  const fourth = supersedeThree(ledger);
  const fifth = accept(ledger).build;
  ledger.voidLeases();

  claim(ledger, fifth);

  t.like(ledger.findBuild(fourth.id), {
    state: "superseded",
    reason: `superseded by ${fifth.sha.slice(0, 7)}`,
  });
});

test("builds of another branch are left alone", (t) => {
  const { ledger } = setUp(t);
  const other = buildOf(ledger.acceptPush(push({ branch: "dev" })));

  accept(ledger);

  t.is(ledger.findBuild(other.id)?.state, "accepted");
});

// Line 3.
test("an ended build stays as it ended", (t) => {
  const { ledger } = setUp(t);
  const { build } = accept(ledger);
  t.true(ledger.cancelBuild(build.id, "not wanted"));
  const ended = ledger.findBuild(build.id);

  accept(ledger);

  t.false(ledger.cancelBuild(build.id, "again"));
  t.is(ledger.claimBuild(build.id, "worker", LEASE_MS), undefined);
  t.deepEqual(ledger.findBuild(build.id), ended);
  t.like(ended, { state: "cancelled", reason: "not wanted" });
});

for (const [what, end] of [
  ["superseded by 0000002", (ledger: Ledger) => ledger.acceptPush(push({ sha: shaOf(2) }))],
  [
    "cancelled by the operator",
    (ledger: Ledger, build: Build) => ledger.cancelBuild(build.id, "cancelled by the operator"),
  ],
] as const)
  test(`a commit that is live stays a success when a redeploy of it is ${what}`, (t) => {
    const { ledger } = setUp(t);
    const first = push({ sha: shaOf(1) });
    const held = claim(ledger, buildOf(ledger.acceptPush(first)));
    deployUp(ledger, held);
    ledger.endBuild(held, "live", "", []);
    const again = buildOf(ledger.acceptManually({ ...first, reason: "redeploy by the operator" }));

    end(ledger, again);

    const [status] = ledger.listStatuses(again.repositoryId, again.sha);
    t.like(status, { state: "success", description: `live; its redeploy was ${what}` });
    t.not(ledger.findBuild(again.id)?.state, "live");
  });
