import test from "ava";
import { buildOf, claim, deployUp, push, setUp, shaOf } from "./test-support/set-up.ts";
import type { Ledger } from "./types/ledger.ts";
import type { UnsentStatus, WantedStatus } from "./types/status.ts";

const REPOSITORY = "forge:10";
const SHA = shaOf(1);

function wanted(state: WantedStatus["state"], description = "", context = "cart"): WantedStatus {
  return { context, state, description, targetUrl: "http://localhost" };
}

function setUpWanted(t: Parameters<typeof setUp>[0], ...statuses: WantedStatus[]) {
  const house = setUp(t);
  for (const status of statuses) house.ledger.wantStatus(REPOSITORY, SHA, status);
  return house;
}

function onlyUnsent(ledger: Ledger, now: number): UnsentStatus {
  const [status, ...others] = ledger.listUnsent(now);
  if (status === undefined || others.length > 0) throw new Error(`${others.length + 1} are unsent`);
  return status;
}

// Line 11.
test("only the newest of a context is to be sent, and nothing once it was", (t) => {
  const { ledger, now } = setUpWanted(t, wanted("pending"), wanted("success"));

  const status = onlyUnsent(ledger, now());
  ledger.markSent(status, 42);

  t.like(status, { repositoryId: REPOSITORY, sha: SHA, state: "success", attempts: 0 });
  t.deepEqual(ledger.listUnsent(now()), []);
  t.like(ledger.listStatuses(REPOSITORY, SHA), [{ state: "success", sent: true, checkRunId: 42 }]);
});

// Line 11.
test("an older version that was sent late does not hide the newer one", (t) => {
  const { ledger, now } = setUpWanted(t, wanted("pending"));
  const older = onlyUnsent(ledger, now());
  ledger.wantStatus(REPOSITORY, SHA, wanted("success"));

  ledger.markSent(older, 42);

  const newer = onlyUnsent(ledger, now());
  t.like(newer, { state: "success", checkRunId: 42 });
  t.true(newer.version > older.version);
});

test("an older version that failed does not delay the newer one", (t) => {
  const { ledger, now } = setUpWanted(t, wanted("pending"));
  const older = onlyUnsent(ledger, now());
  ledger.wantStatus(REPOSITORY, SHA, wanted("success"));

  ledger.markUnsent(older, "502", now() + 1000);

  t.like(onlyUnsent(ledger, now()), { state: "success", attempts: 0 });
});

test("a status that could not be sent is due again at its time, with the attempt counted", (t) => {
  const { ledger, now, wait } = setUpWanted(t, wanted("success"));

  ledger.markUnsent(onlyUnsent(ledger, now()), "502", now() + 1000);

  t.deepEqual(ledger.listUnsent(now()), []);
  wait(1000);
  t.is(onlyUnsent(ledger, now()).attempts, 1);
});

test("the same status again is no news", (t) => {
  const { ledger, now } = setUpWanted(t, wanted("success", "live"));
  ledger.markSent(onlyUnsent(ledger, now()));

  ledger.wantStatus(REPOSITORY, SHA, wanted("success", "live"));
  t.deepEqual(ledger.listUnsent(now()), []);

  ledger.wantStatus(REPOSITORY, SHA, { ...wanted("success", "live"), skipped: true });
  t.like(onlyUnsent(ledger, now()), { skipped: true });
});

test("what is due is listed oldest first, of one commit when asked", (t) => {
  const { ledger, now } = setUpWanted(t, wanted("success", "", "b"), wanted("success", "", "a"));
  ledger.wantStatus(REPOSITORY, shaOf(2), wanted("success", "", "c"));
  const contexts = (filter?: { repositoryId: string; sha: string }) =>
    ledger.listUnsent(now(), filter).map(({ context }) => context);

  t.deepEqual(contexts(), ["b", "a", "c"]);
  t.deepEqual(contexts({ repositoryId: REPOSITORY, sha: SHA }), ["b", "a"]);
  t.deepEqual(contexts({ repositoryId: "forge:11", sha: SHA }), []);
});

for (const [title, long, length] of [
  ["140 characters stay", "x".repeat(140), 140],
  ["141 characters are cut to 140 with an ellipsis", "x".repeat(141), 140],
  ["an emoji is not cut in half", `${"x".repeat(138)}😀😀`, 139],
] as const) {
  test(`of a description ${title}`, (t) => {
    const { ledger, now } = setUpWanted(t, wanted("success", long));

    const { description } = onlyUnsent(ledger, now());

    t.is(description.length, length);
    t.is(description.endsWith("…"), long.length > 140);
    t.true(description.isWellFormed());
  });
}

// Line 11.
test("a build that has ended says nothing is pending any more, but may correct what it said", (t) => {
  const { ledger } = setUp(t);
  const build = buildOf(ledger.acceptPush(push({ sha: SHA })));
  const done = wanted("success", "live", "stack-deploy");
  ledger.endBuild(claim(ledger, build), "live", "", [done]);
  const stateOfStack = () => ledger.listStatuses(REPOSITORY, SHA)[0]?.state;

  ledger.wantStatus(REPOSITORY, SHA, wanted("pending", "late", "stack-deploy"), build.id);
  t.is(stateOfStack(), "success");

  ledger.wantStatus(REPOSITORY, SHA, wanted("failure", "crashed", "stack-deploy"), build.id);
  t.is(stateOfStack(), "failure");
});

// Line 11.
test("an older build of a commit does not speak over a newer one of the same commit", (t) => {
  const { ledger } = setUp(t);
  const older = claim(ledger, buildOf(ledger.acceptPush(push({ sha: SHA }))));
  deployUp(ledger, older);
  const newer = buildOf(ledger.acceptManually({ ...push({ sha: SHA }), reason: "redeploy" }));

  ledger.endBuild(older, "live", "", [wanted("success", "live", "stack-deploy")]);

  t.like(ledger.listStatuses(REPOSITORY, SHA), [
    { context: "stack-deploy", state: "pending", buildId: newer.id },
  ]);
});

test("an older build of a commit speaks again when the newer one was cancelled", (t) => {
  const { ledger } = setUp(t);
  const older = claim(ledger, buildOf(ledger.acceptPush(push({ sha: SHA }))));
  deployUp(ledger, older);
  const newer = buildOf(ledger.acceptManually({ ...push({ sha: SHA }), reason: "redeploy" }));
  ledger.cancelBuild(newer.id, "not wanted");

  ledger.endBuild(older, "live", "", [wanted("success", "live", "stack-deploy")]);

  t.like(ledger.listStatuses(REPOSITORY, SHA), [{ state: "success", buildId: older.build.id }]);
});

test("a status that is to be tried again in a minute is due within hours though the clock went back by a day", (t) => {
  const { ledger, wait, now } = setUp(t);
  buildOf(ledger.acceptPush(push()));
  const [status] = ledger.listUnsent(now());
  if (status === undefined) throw new Error("There is no status.");
  ledger.markUnsent(status, "503", now() + 60_000);

  wait(-24 * 3_600_000);
  wait(2 * 3_600_000 + 1);

  t.is(ledger.listUnsent(now()).length, 1);
});

test("a whole build names the commit whose statuses are asked for", (t) => {
  const { ledger, now } = setUp(t);
  const build = buildOf(ledger.acceptPush(push()));

  t.is(ledger.listUnsent(now(), build).length, 1);
  t.is(ledger.listUnsent(now(), { ...build, sha: shaOf(99) }).length, 0);
});
