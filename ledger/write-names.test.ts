import test, { type ExecutionContext } from "ava";
import { openLedger } from "./ledger.ts";
import { LEASE_MS, planOf, push } from "./test-support/set-up.ts";

function setUp(t: ExecutionContext) {
  const points: string[] = [];
  const ledger = openLedger({ path: ":memory:", onWrite: (point) => points.push(point) });
  t.teardown(() => ledger.close());
  return { ledger, points };
}

test("each write is told before and after its commit, under the method's name", (t) => {
  const { ledger, points } = setUp(t);

  const { build } = ledger.acceptPush(push());
  const claim = ledger.claimBuild(build?.id ?? "", "worker", LEASE_MS);
  if (claim !== undefined) ledger.storePlan(claim, planOf(), []);

  t.deepEqual(points, [
    "acceptPush:before",
    "acceptPush:after",
    "claimBuild:before",
    "claimBuild:after",
    "storePlan:before",
    "storePlan:after",
  ]);
});

test("a write outside of a transaction is told too, a read is not", (t) => {
  const { ledger, points } = setUp(t);

  ledger.voidLeases();
  ledger.listUnleased();

  t.deepEqual(points, ["voidLeases:before", "voidLeases:after"]);
});

test("a write that is stopped before its commit has no effect", (t) => {
  const ledger = openLedger({
    path: ":memory:",
    onWrite(point) {
      if (point === "acceptPush:before") throw new Error("no further");
    },
  });
  t.teardown(() => ledger.close());

  t.throws(() => ledger.acceptPush(push()), { message: "no further" });

  t.deepEqual(ledger.listBuilds({ limit: 10 }), []);
});
