import test from "ava";
import { buildOf, claim, push, setUp, shaOf } from "#ledger/test-support/set-up.ts";
import { until } from "../../test/helpers/until.ts";
import { holdLease, LeaseLost } from "./hold-lease.ts";

const never = new AbortController().signal;

test("a lease is renewed as long as it is held, and not after", async (t) => {
  const { ledger } = setUp(t);
  const held = claim(ledger, buildOf(ledger.acceptPush(push())));
  let renewed = 0;
  const renewClaim = () => {
    renewed += 1;
    return true;
  };

  const lease = holdLease({ ...ledger, renewClaim }, held, 30, never);
  await until(() => renewed >= 3);
  lease.stop();
  const then = renewed;
  await new Promise((resolve) => setTimeout(resolve, 60));

  t.false(lease.signal.aborted);
  t.is(renewed, then);
});

for (const [what, end] of [
  ["superseded", (ledger) => ledger.acceptPush(push({ sha: shaOf(2) }))],
  ["cancelled", (ledger, { build }) => ledger.cancelBuild(build.id, "by hand")],
] as readonly [
  string,
  (...on: [ReturnType<typeof setUp>["ledger"], ReturnType<typeof claim>]) => void,
][])
  test(`a build that is ${what} ends its lease at once, long before the next renewal`, async (t) => {
    const { ledger } = setUp(t);
    const held = claim(ledger, buildOf(ledger.acceptPush(push())));
    const lease = holdLease(ledger, held, 600_000, never);
    t.teardown(lease.stop);

    end(ledger, held);
    await until(() => lease.signal.aborted, 1_000);

    t.true(lease.signal.reason instanceof LeaseLost);
  });

test("a lease that another worker took is noticed at the next renewal", async (t) => {
  const { ledger } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));
  const lease = holdLease(ledger, claim(ledger, build), 30, never);
  t.teardown(lease.stop);

  ledger.voidLeases();
  claim(ledger, build);
  await until(() => lease.signal.aborted);

  t.true(lease.signal.reason instanceof LeaseLost);
});

test("a lease that cannot be renewed stops the work instead of the process", async (t) => {
  const { ledger } = setUp(t);
  const held = claim(ledger, buildOf(ledger.acceptPush(push())));
  const full = new Error("the disk is full");
  const renewClaim = () => {
    throw full;
  };

  const lease = holdLease({ ...ledger, renewClaim }, held, 30, never);
  t.teardown(lease.stop);
  await until(() => lease.signal.aborted);

  t.is(lease.signal.reason, full);
});

test("a ledger that cannot be asked when the build changed stops the work instead of the process", async (t) => {
  const { ledger } = setUp(t);
  const held = claim(ledger, buildOf(ledger.acceptPush(push())));
  const closed = new Error("the ledger is closed");
  const findBuild = () => {
    throw closed;
  };
  const lease = holdLease({ ...ledger, findBuild }, held, 600_000, never);
  t.teardown(lease.stop);

  ledger.addEvent(held.build.id, { v: 1, at: 1, type: "fetched", ms: 1 });
  await until(() => lease.signal.aborted);

  t.is(lease.signal.reason, closed);
});

test("a caller who goes away ends the work with its own reason", (t) => {
  const { ledger } = setUp(t);
  const held = claim(ledger, buildOf(ledger.acceptPush(push())));
  const caller = new AbortController();
  const lease = holdLease(ledger, held, 30_000, caller.signal);
  t.teardown(lease.stop);

  caller.abort(new Error("stopping"));

  t.is(lease.signal.reason.message, "stopping");
});
