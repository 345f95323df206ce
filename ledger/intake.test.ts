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
test("the same delivery makes a new generation once its build has failed, and again after that failed", (t) => {
  const { ledger } = setUp(t);
  const again = push({ deliveryKey: "forge:d1" });
  const builds = [buildOf(ledger.acceptPush(again))];

  for (const build of [1, 2]) {
    const last = builds[build - 1] ?? t.fail();
    if (last === undefined) return;
    ledger.endBuild(claim(ledger, last), "failed", "no handler", []);
    builds.push(buildOf(ledger.acceptPush(again)));
  }

  t.deepEqual(
    builds.map(({ generation }) => generation),
    [1, 2, 3],
  );
  t.like(ledger.acceptPush(again), { decision: "duplicate", build: builds[2] });
  t.is(ledger.listDeliveries(9).length, 1);
  t.is(ledger.findDelivery("forge:d1")?.buildId, builds[2]?.id);
});
