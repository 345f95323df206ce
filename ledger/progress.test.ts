import test from "ava";
import {
  alice,
  buildOf,
  claim,
  deployUp,
  plannedFunction,
  planOf,
  push,
  setUp,
} from "./test-support/set-up.ts";
import type { WantedStatus } from "./types/status.ts";

const cart = plannedFunction("cart");

function setUpClaimed(t: Parameters<typeof setUp>[0]) {
  const house = setUp(t);
  const build = buildOf(house.ledger.acceptPush(push()));
  return { house, ledger: house.ledger, build, held: claim(house.ledger, build) };
}

function status(context: string, state: WantedStatus["state"]): WantedStatus {
  return { context, state, description: `${context} ${state}`, targetUrl: "http://localhost" };
}

// Line 7.
test("the plan and its statuses are stored together and survive a restart", (t) => {
  const { house, ledger, build, held } = setUpClaimed(t);

  ledger.storePlan(held, planOf(cart), [status("cart", "pending")]);
  const reopened = house.reopen();

  t.like(reopened.findBuild(build.id), { state: "planned", plan: planOf(cart) });
  t.like(reopened.listStatuses(build.repositoryId, build.sha), [
    { context: "cart", state: "pending" },
    { context: "stack-deploy" },
  ]);
});

// Line 7.
test("a second plan has no effect", (t) => {
  const { ledger, build, held } = setUpClaimed(t);
  ledger.storePlan(held, planOf(cart), []);
  ledger.setState(held, "building");

  ledger.storePlan(held, planOf(), [status("cart", "pending")]);

  t.like(ledger.findBuild(build.id), { state: "building", plan: planOf(cart) });
  t.is(ledger.listStatuses(build.repositoryId, build.sha).length, 1);
});

// Line 7.
test("nothing is built before a plan is stored", (t) => {
  const { ledger, held } = setUpClaimed(t);

  t.throws(() => ledger.setState(held, "building"), { message: /has no plan/ });
  t.throws(() => ledger.beginDeploying(held), { message: /has no plan/ });
});

// Line 3.
test("a worker that goes over its steps again does not move the build back", (t) => {
  const { ledger, build, held } = setUpClaimed(t);
  deployUp(ledger, held, planOf(cart));

  ledger.setState(held, "building");
  ledger.setState(held, "built");

  t.true(ledger.beginDeploying(held));
  t.is(ledger.findBuild(build.id)?.state, "deploying");
});

// Line 7.
test("the first artifact of a key stays, and is the owner's own", (t) => {
  const { ledger } = setUp(t);
  const first = {
    ownerId: alice.id,
    key: "v1:k",
    digest: "sha256:1",
    image: "registry/alice/shop/cart:1",
    sizeBytes: 3,
    createdAt: 5,
  };
  t.deepEqual(ledger.recordArtifact(first), first);

  const inForce = ledger.recordArtifact({ ...first, digest: "sha256:2" });

  t.deepEqual(inForce, first);
  t.is(ledger.findArtifact("forge:2", "v1:k"), undefined);
  t.deepEqual(ledger.listArtifacts(), [first]);
  ledger.forgetArtifact(alice.id, "v1:k");
  t.is(ledger.findArtifact(alice.id, "v1:k"), undefined);
});

// Line 8.
test("a build does not deploy while an artifact is missing, another owner's of the same key included", (t) => {
  const { ledger, build, held } = setUpClaimed(t);
  ledger.storePlan(held, planOf(cart, plannedFunction("pay")), []);
  const artifact = { digest: "sha256:1", image: "i", sizeBytes: 1, createdAt: 0 };
  ledger.recordArtifact({ ...artifact, ownerId: "forge:2", key: cart.key });
  ledger.recordArtifact({ ...artifact, ownerId: alice.id, key: "v1:pay" });

  t.throws(() => ledger.beginDeploying(held), { message: /artifact of cart first/ });
  t.is(ledger.findBuild(build.id)?.state, "planned");
});

// Line 11.
test("the end and its statuses are one change, and nothing is left pending", (t) => {
  const { house, ledger, build, held } = setUpClaimed(t);
  ledger.storePlan(held, planOf(cart), [status("cart", "pending"), status("pay", "pending")]);

  const failed = [status("stack-deploy", "failure"), status("cart", "failure")];
  ledger.endBuild(held, "failed", "cart: exit 1", failed);

  const reopened = house.reopen();
  t.like(reopened.findBuild(build.id), {
    state: "failed",
    reason: "cart: exit 1",
    endedAt: house.now(),
  });
  t.like(reopened.listStatuses(build.repositoryId, build.sha), [
    failed[1],
    { context: "pay", state: "failure", description: "cart: exit 1" },
    failed[0],
  ]);
});

// Line 8.
for (const state of ["superseded", "cancelled", "skipped"] as const) {
  test(`a deploying build does not end ${state}`, (t) => {
    const { ledger, build, held } = setUpClaimed(t);
    deployUp(ledger, held);

    t.throws(() => ledger.endBuild(held, state, "", []), { message: /ends live or failed/ });
    t.is(ledger.findBuild(build.id)?.state, "deploying");
  });
}

test("what is live on a branch is its newest build that went live", (t) => {
  const { ledger, build, held } = setUpClaimed(t);
  ledger.endBuild(held, "live", "", []);
  const second = buildOf(ledger.acceptPush(push()));
  ledger.endBuild(claim(ledger, second), "failed", "no", []);

  t.is(ledger.findLive(build.repositoryId, "main")?.id, build.id);
  t.is(ledger.findLive(build.repositoryId, "dev"), undefined);
});
