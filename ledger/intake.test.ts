import test from "ava";
import { alice, buildOf, claim, push, repositoryOf, setUp, shaOf } from "./test-support/set-up.ts";

// Line 1.
test("an accepted push is a delivery, a build and a wanted status, still there after a restart", (t) => {
  const house = setUp(t);
  const accepted = house.ledger.acceptPush(push({ deliveryKey: "forge:d1" }));

  const ledger = house.reopen();

  const build = buildOf(accepted);
  t.is(accepted.decision, "queued");
  t.deepEqual(ledger.findBuild(build.id), build);
  t.like(build, { state: "accepted", generation: 1, branch: "main", sha: shaOf(1), attempts: 0 });
  t.like(ledger.findDelivery("forge:d1"), {
    decision: "queued",
    status: 202,
    buildId: build.id,
    ref: "refs/heads/main",
    repository: "alice/shop",
  });
  t.like(ledger.listUnsent(house.now()), [
    { context: "stack-deploy", state: "pending", buildId: build.id, sha: shaOf(1) },
  ]);
  t.deepEqual(ledger.findRepository("forge:10"), repositoryOf(alice));
  t.deepEqual(ledger.findOwnerBySlug("alice"), { ...alice, slug: "alice" });
});

// Line 2.
test("the same delivery again answers duplicate with the first build and changes nothing", (t) => {
  const { ledger, now } = setUp(t);
  const first = ledger.acceptPush(push({ deliveryKey: "forge:d1" }));
  const before = [ledger.listUnsent(now()), ledger.listDeliveries(9)];

  const second = ledger.acceptPush(push({ deliveryKey: "forge:d1", sha: shaOf(2) }));

  t.deepEqual(second, { ...first, decision: "duplicate" });
  t.deepEqual([ledger.listUnsent(now()), ledger.listDeliveries(9)], before);
  t.is(ledger.listBuilds({ limit: 9 }).length, 1);
});

// Line 2.
test("the same delivery makes a new generation each time its build has failed, and only then", (t) => {
  const { ledger } = setUp(t);
  const again = push({ deliveryKey: "forge:d1" });

  const first = buildOf(ledger.acceptPush(again));
  ledger.endBuild(claim(ledger, first), "failed", "no handler", []);
  const second = buildOf(ledger.acceptPush(again));
  ledger.endBuild(claim(ledger, second), "failed", "no handler", []);
  const third = ledger.acceptPush(again);

  t.deepEqual([first.generation, second.generation, third.build?.generation], [1, 2, 3]);
  t.deepEqual(ledger.acceptPush(again), { ...third, decision: "duplicate" });
  t.like(ledger.listDeliveries(9), { length: 1, 0: { buildId: third.build?.id } });
});

for (const state of ["live", "skipped", "cancelled", "superseded"] as const) {
  // Line 2.
  test(`the same delivery of a build that ended ${state} changes nothing`, (t) => {
    const { ledger } = setUp(t);
    const again = push();
    const build = buildOf(ledger.acceptPush(again));
    ledger.endBuild(claim(ledger, build), state, "", []);

    const { decision, build: answered } = ledger.acceptPush(again);

    t.is(decision, "duplicate");
    t.like(answered, { id: build.id, state });
    t.is(ledger.listBuilds({ limit: 9 }).length, 1);
  });
}

// Lines 2 and 6.
test("a failed delivery that comes again after a newer push does not put the old commit over it", (t) => {
  const { ledger } = setUp(t);
  const old = push({ sha: shaOf(1) });
  const failed = buildOf(ledger.acceptPush(old));
  ledger.endBuild(claim(ledger, failed), "failed", "no handler", []);
  const newer = buildOf(ledger.acceptPush(push({ sha: shaOf(2) })));

  const answer = ledger.acceptPush(old);

  t.like(answer, { decision: "duplicate", build: { id: failed.id }, superseded: [] });
  t.is(ledger.findBuild(newer.id)?.state, "accepted");
});

test("a commit accepted by hand is a generation of its own under the delivery manual:<build id>", (t) => {
  const { ledger } = setUp(t);
  const first = buildOf(ledger.acceptPush(push()));
  ledger.endBuild(claim(ledger, first), "live", "", []);

  const build = buildOf(ledger.acceptManually({ ...push(), reason: "redeploy" }));

  t.is(build.generation, 2);
  t.like(ledger.findDelivery(`manual:${build.id}`), {
    decision: "queued",
    event: "manual",
    reason: "redeploy",
    buildId: build.id,
  });
});

test("a delivery that makes no build is recorded once", (t) => {
  const { ledger, now } = setUp(t);
  const delivery = {
    key: "github:9",
    event: "push",
    receivedAt: now(),
    decision: "skipped",
    reason: "branch dev is not built",
    status: 200,
  } as const;

  t.true(ledger.recordDelivery(delivery));
  t.false(ledger.recordDelivery({ ...delivery, reason: "other" }));
  t.deepEqual(ledger.listDeliveries(9), [delivery]);
});

test("a push that came first as a delivery without a build keeps that answer", (t) => {
  const { ledger, now } = setUp(t);
  const again = push({ deliveryKey: "forge:d1" });
  const reason = "branch main is not built";
  const skipped = { decision: "skipped", reason, status: 200 } as const;
  ledger.recordDelivery({ key: "forge:d1", event: "push", receivedAt: now(), ...skipped });

  const answer = ledger.acceptPush(again);

  t.deepEqual(answer, { decision: "duplicate", reason, superseded: [] });
  t.deepEqual(ledger.listBuilds({ limit: 9 }), []);
});

test("builds are listed newest first, and of one owner when asked", (t) => {
  const { ledger } = setUp(t);
  const bob = { id: "github:2", scm: "github", login: "bob" } as const;
  const mine = buildOf(ledger.acceptPush(push({ branch: "a" })));
  const other = buildOf(ledger.acceptPush(push({ owner: bob })));
  const last = buildOf(ledger.acceptPush(push({ branch: "b" })));

  t.deepEqual(
    ledger.listBuilds({ limit: 2 }).map(({ id }) => id),
    [last.id, other.id],
  );
  t.deepEqual(ledger.listBuilds({ ownerId: alice.id, limit: 9 }), [last, mine]);
});

test("build ids are 26 characters of base32 and sort by time", (t) => {
  const { ledger, wait } = setUp(t);
  const first = buildOf(ledger.acceptPush(push()));
  wait(1);
  const second = buildOf(ledger.acceptPush(push()));

  t.regex(first.id, /^[0-9a-hjkmnp-tv-z]{26}$/);
  t.true(first.id < second.id);
});
