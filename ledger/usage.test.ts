import test from "ava";
import {
  alice,
  buildOf,
  claim,
  deployUp,
  plannedFunction,
  planOf,
  push,
  releaseDraft,
  repositoryOf,
  setUp,
  shaOf,
} from "./test-support/set-up.ts";

const bob = { id: "forge:2", scm: "forge", login: "bob" } as const;
const [shop, blog] = [repositoryOf(alice, 10, "shop"), repositoryOf(alice, 11, "blog")];

test("the n-th newest build of an owner is found among all of theirs, and of no other's", (t) => {
  const { ledger, now, wait } = setUp(t);
  const first = now();
  ledger.acceptPush(push({ repository: shop }));
  wait(5);
  ledger.acceptPush(push({ owner: bob, repository: repositoryOf(bob, 20) }));
  ledger.acceptPush(push({ repository: blog }));

  const found = [1, 2, 3].map((n) => ledger.nthNewestBuild(alice.id, n));

  t.deepEqual(found, [first + 5, first, undefined]);
});

test("functions that serve and functions that are planned count once, but for one repository's", (t) => {
  const { ledger } = setUp(t);
  const served = claim(ledger, buildOf(ledger.acceptPush(push({ repository: shop }))));
  deployUp(ledger, served);
  ledger.declareRelease(served, releaseDraft());
  ledger.markRelease("release-1", "alice-cart", "serving");
  const planned = claim(ledger, buildOf(ledger.acceptPush(push({ repository: blog }))));
  ledger.storePlan(planned, planOf(plannedFunction("post"), plannedFunction("feed")), []);

  t.is(ledger.countFunctions(alice.id, "forge:99"), 3);
  t.is(ledger.countFunctions(alice.id, shop.id), 2);
  t.is(ledger.countFunctions(alice.id, blog.id), 1);
  t.is(ledger.countFunctions(bob.id, "forge:99"), 0);
  ledger.endBuild(planned, "failed", "broken", []);
  t.is(ledger.countFunctions(alice.id, "forge:99"), 1);
});

test("artifacts of equal content take their bytes once, and each owner's are their own", (t) => {
  const { ledger } = setUp(t);
  const artifact = { image: "i", createdAt: 0 };
  const keep = (ownerId: string, key: string, digest: string, sizeBytes: number) =>
    ledger.recordArtifact({ ...artifact, ownerId, key, digest, sizeBytes });
  keep(alice.id, "v1:a", "sha256:1", 10);
  keep(alice.id, "v1:b", "sha256:1", 10);
  keep(alice.id, "v1:c", "sha256:2", 5);
  keep(bob.id, "v1:a", "sha256:1", 10);

  t.deepEqual(
    [alice.id, bob.id, "forge:3"].map((id) => ledger.sumArtifacts(id)),
    [15, 10, 0],
  );
});

test("open builds are listed whether somebody holds them or not, and ended ones are not", (t) => {
  const { ledger } = setUp(t);
  const held = buildOf(ledger.acceptPush(push({ repository: shop })));
  claim(ledger, held);
  const waiting = buildOf(ledger.acceptPush(push({ repository: blog, sha: shaOf(2) })));
  const cancelled = buildOf(ledger.acceptPush(push({ repository: repositoryOf(alice, 12, "x") })));
  ledger.cancelBuild(cancelled.id, "by hand");

  t.deepEqual(
    ledger.listOpen().map(({ id }) => id),
    [held.id, waiting.id],
  );
});
