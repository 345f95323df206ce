import test from "ava";
import { buildOf, claim, LEASE_MS, planOf, push, setUp } from "../../ledger/test-support/set-up.ts";

const DAY_MS = 24 * 3_600_000;

// The platform reads one clock; faketime is not needed where the ledger takes `now` as a tool.
test("a clock that jumps a day forward lets another worker take over, and the first one writes nothing more", (t) => {
  const { ledger, wait } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));
  const first = claim(ledger, build);
  wait(DAY_MS);
  t.deepEqual(
    ledger.listUnleased().map(({ id }) => id),
    [build.id],
  );
  const second = claim(ledger, build);

  t.throws(() => ledger.storePlan(first, planOf(), []), { name: "ClaimLost" });
  t.throws(() => ledger.endBuild(first, "failed", "late", []), { name: "ClaimLost" });
  ledger.endBuild(second, "failed", "in time", []);

  t.like(ledger.findBuild(build.id), { state: "failed", reason: "in time" });
});

test("a clock that jumps a day back takes no lease from a worker, and a restart frees it", (t) => {
  const { ledger, wait, reopen } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));
  const held = claim(ledger, build);
  wait(-DAY_MS);

  t.is(ledger.claimBuild(build.id, "another", LEASE_MS), undefined);
  t.true(ledger.renewClaim(held, LEASE_MS));
  const later = reopen();
  later.voidLeases();

  t.true(later.claimBuild(build.id, "another", LEASE_MS) !== undefined);
});

test("pushes keep their order over a clock that jumps a day back", (t) => {
  const { ledger, wait } = setUp(t);
  const older = buildOf(ledger.acceptPush(push()));
  wait(-DAY_MS);
  const newer = buildOf(ledger.acceptPush(push()));

  t.is(ledger.findBuild(older.id)?.state, "superseded");
  t.true(newer.generation > older.generation);
});
