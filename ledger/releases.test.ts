import test from "ava";
import { labels } from "#sdk/labels.ts";
import { ClaimLost, NameTaken } from "./errors.ts";
import {
  alice,
  buildOf,
  claim,
  deployUp,
  planOf,
  push,
  releaseDraft,
  repositoryOf,
  setUp,
} from "./test-support/set-up.ts";
import type { Claim } from "./types/build.ts";
import type { Ledger } from "./types/ledger.ts";
import type { Owner } from "./types/owner.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const a: Omit<Owner, "slug"> = { id: "forge:7", scm: "forge", login: "a" };
const ab: Omit<Owner, "slug"> = { id: "forge:8", scm: "forge", login: "a-b" };

/** A build of the owner's repository that deploys. */
function deploying(ledger: Ledger, owner = alice, repositoryId = Number(owner.id.slice(6))): Claim {
  const repository = repositoryOf(owner, repositoryId);
  const held = claim(ledger, buildOf(ledger.acceptPush(push({ owner, repository }))));
  deployUp(ledger, held, planOf());
  return held;
}

function serve(ledger: Ledger, held: Claim, id: string): void {
  ledger.declareRelease(held, releaseDraft("alice-cart", id));
  ledger.markRelease(id, "alice-cart", "serving");
  ledger.endBuild(held, "live", "", []);
}

// Line 9.
test("a release carries its id and fence as labels, and is the same again after a crash", (t) => {
  const house = setUp(t);
  const held = deploying(house.ledger);
  const release = house.ledger.declareRelease(held, releaseDraft());

  const again = house.reopen().declareRelease(held, releaseDraft());

  t.deepEqual(again, release);
  t.like(release, { fence: 1, state: "declared", generation: 1, buildId: held.build.id });
  t.deepEqual(release.deployment.labels, {
    a: "b",
    "com.openfaas.cloud.release": "release-1",
    "com.openfaas.cloud.fence": "1",
  });
});

// Line 9.
test("fences of a function only grow: over builds, returns within a build, and removal", (t) => {
  const { ledger } = setUp(t);
  const first = deploying(ledger);
  const fences = ["release-1", "back-to-0"].map(
    (id) => ledger.declareRelease(first, releaseDraft("alice-cart", id)).fence,
  );
  ledger.endBuild(first, "failed", "pay never got healthy", []);
  ledger.removeFunction("alice-cart");

  const second = deploying(ledger);
  fences.push(ledger.declareRelease(second, releaseDraft("alice-cart", "release-2")).fence);
  const other = ledger.declareRelease(second, releaseDraft("alice-pay", "release-3")).fence;

  t.deepEqual(fences, [1, 2, 3]);
  t.is(other, 1, "each function has a counter of its own");
});

// Line 9.
test("a release goes above the fence that the engine reports, declared before or not", (t) => {
  const { ledger } = setUp(t);
  const held = deploying(ledger);
  ledger.declareRelease(held, releaseDraft());

  const lifted = ledger.declareRelease(held, releaseDraft(), 9);
  const fresh = ledger.declareRelease(held, releaseDraft("alice-pay", "release-2"), 4);

  t.is(lifted.fence, 10);
  t.is(lifted.deployment.labels?.["com.openfaas.cloud.fence"], "10");
  t.is(fresh.fence, 5);
  t.is(ledger.listReleases("alice-cart", 9).length, 1);
});

// Line 9.
test("a release whose fence the engine has given to a deploy of its own goes above it", (t) => {
  const { ledger } = setUp(t);
  const held = deploying(ledger);
  const declared = ledger.declareRelease(held, releaseDraft());

  const lifted = ledger.declareRelease(held, declared, declared.fence);

  t.is(lifted.fence, declared.fence + 1);
  t.is(lifted.deployment.labels?.["com.openfaas.cloud.fence"], String(lifted.fence));
});

test("a release that a later one of the same function has passed is not lifted over it", (t) => {
  const { ledger } = setUp(t);
  const held = deploying(ledger);
  const passed = ledger.declareRelease(held, releaseDraft("alice-cart", "release-1"));
  ledger.declareRelease(held, releaseDraft("alice-cart", "release-2"));

  t.deepEqual(ledger.declareRelease(held, releaseDraft("alice-cart", "release-1"), 9), passed);
});

// Lines 5 and 8.
test("a release needs a claim in force and a build that deploys", (t) => {
  const { ledger } = setUp(t);
  const early = claim(ledger, buildOf(ledger.acceptPush(push())));
  t.throws(() => ledger.declareRelease(early, releaseDraft()), { message: /begin deploying/ });

  ledger.voidLeases();

  t.throws(() => ledger.declareRelease(early, releaseDraft()), { instanceOf: ClaimLost });
  t.is(ledger.ownerOfFunction("alice-cart"), undefined);
});

test("owner a with b-c and owner a-b with c want one name; who comes second is refused and not told by whom", (t) => {
  const { ledger } = setUp(t);
  ledger.declareRelease(deploying(ledger, a), releaseDraft("a-b-c", "release-1"));
  const second = deploying(ledger, ab);

  const error = t.throws(() => ledger.declareRelease(second, releaseDraft("a-b-c", "release-2")), {
    instanceOf: NameTaken,
  });

  t.is(error.service, "a-b-c");
  t.is(
    error.message,
    'Function name "a-b-c" is taken; rename the function in stack.yml and push again.',
  );
  t.deepEqual(ledger.ownerOfFunction("a-b-c"), { ownerId: a.id, repositoryId: "forge:7" });
  t.is(ledger.declareRelease(second, releaseDraft("a-b-d", "release-2")).fence, 1);
});

test("another repository of the same owner does not get the name until it is removed, then at once", (t) => {
  const { ledger } = setUp(t);
  ledger.declareRelease(deploying(ledger, alice, 10), releaseDraft());
  const second = deploying(ledger, alice, 11);
  t.throws(() => ledger.declareRelease(second, releaseDraft()), { instanceOf: NameTaken });

  ledger.removeFunction("alice-cart");

  t.is(ledger.ownerOfFunction("alice-cart"), undefined);
  t.is(ledger.declareRelease(second, releaseDraft()).repositoryId, "forge:11");
});

test("a removed name is another owner's after 30 days, without the releases of who had it", (t) => {
  const { ledger, wait } = setUp(t);
  ledger.declareRelease(deploying(ledger, a), releaseDraft("a-b-c", "release-1"));
  ledger.markRelease("release-1", "a-b-c", "serving");
  ledger.removeFunction("a-b-c");

  wait(30 * DAY_MS - 1);
  const held = deploying(ledger, ab);
  t.throws(() => ledger.declareRelease(held, releaseDraft("a-b-c", "release-2")), {
    instanceOf: NameTaken,
  });
  wait(1);
  const release = ledger.declareRelease(held, releaseDraft("a-b-c", "release-2"));

  t.deepEqual(ledger.listReleases("a-b-c", 9), [release]);
  t.is(release.fence, 2);
});

test("the release that begins to serve retires the one before", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, deploying(ledger), "release-1");
  serve(ledger, deploying(ledger), "release-2");

  t.is(ledger.currentRelease("alice-cart")?.id, "release-2");
  t.deepEqual(
    ledger.listReleases("alice-cart", 9).map(({ id, state }) => [id, state]),
    [
      ["release-2", "serving"],
      ["release-1", "retired"],
    ],
  );
  t.is(ledger.listServing({ ownerId: alice.id }).length, 1);
  t.is(ledger.listServing({ repositoryId: "forge:1" }).length, 1);
  t.is(ledger.listServing({ ownerId: "forge:2" }).length, 0);
});

// Line 10.
test("a late word that an older release serves does not unseat the newer one", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, deploying(ledger), "release-1");
  serve(ledger, deploying(ledger), "release-2");

  ledger.markRelease("release-1", "alice-cart", "serving");

  t.is(ledger.currentRelease("alice-cart")?.id, "release-2");
  t.is(ledger.listReleases("alice-cart", 9)[1]?.state, "retired");
});

test("after removal nothing serves", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, deploying(ledger), "release-1");

  ledger.removeFunction("alice-cart");

  t.is(ledger.currentRelease("alice-cart"), undefined);
  t.deepEqual(ledger.listServing({}), []);
  t.is(ledger.listReleases("alice-cart", 9)[0]?.state, "retired");
});

test("a roll-back declares what was deployed before under a fence of its own, the same again after a crash", (t) => {
  const house = setUp(t);
  const { ledger } = house;
  serve(ledger, deploying(ledger), "one");
  serve(ledger, deploying(ledger), "two");
  const [, one] = ledger.listReleases("alice-cart", 2);
  if (one === undefined) return t.fail();

  const back = ledger.declareRollback(one);

  const reopened = house.reopen();
  t.deepEqual(reopened.listUnfinishedRollbacks(), [back]);
  t.deepEqual(reopened.declareRollback(one), back);
  t.like(back, { fence: 3, state: "declared", buildId: one.buildId, generation: one.generation });
  t.deepEqual(back.insteadOf, { specHash: "spec", digest: "sha256:1" });
  t.is(reopened.currentRelease("alice-cart")?.id, "two");
  reopened.markRelease(back.id, "alice-cart", "serving");
  t.deepEqual(reopened.listUnfinishedRollbacks(), []);
  t.deepEqual(reopened.currentRelease("alice-cart"), { ...back, state: "serving" });
});

test("a roll-back with another version of its secrets is another release", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, deploying(ledger), "one");
  serve(ledger, deploying(ledger), "two");
  const [, one] = ledger.listReleases("alice-cart", 2);
  if (one === undefined) return t.fail();
  const withSecrets = (version: string) => {
    const given = { ...one.deployment.labels, [labels.secretsVersion]: version };
    return ledger.declareRollback({ ...one, deployment: { ...one.deployment, labels: given } });
  };

  const [plain, first, second] = [ledger.declareRollback(one), withSecrets("a"), withSecrets("b")];

  t.is(new Set([plain.id, first.id, second.id]).size, 3);
  t.is(withSecrets("b").id, second.id);
  t.is(second.deployment.labels?.[labels.secretsVersion], "b");
});

test("a roll-back goes above the fence that the engine reports or a push took meanwhile", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, deploying(ledger), "one");
  serve(ledger, deploying(ledger), "two");
  const [, one] = ledger.listReleases("alice-cart", 2);
  if (one === undefined) return t.fail();

  const first = ledger.declareRollback(one).fence;
  const lifted = ledger.declareRollback(one, 9).fence;
  ledger.declareRelease(deploying(ledger), releaseDraft("alice-cart", "three"));
  const last = ledger.declareRollback(one).fence;

  t.deepEqual([first, lifted, last], [3, 10, 12]);
});

test("what does not serve cannot be rolled back", (t) => {
  const { ledger } = setUp(t);
  serve(ledger, deploying(ledger), "one");
  const [one] = ledger.listReleases("alice-cart", 1);
  if (one === undefined) return t.fail();
  ledger.removeFunction("alice-cart");

  t.throws(() => ledger.declareRollback(one), {
    message: /"alice-cart" does not serve; push it again/,
  });
});
