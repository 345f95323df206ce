import test from "ava";
import {
  alice,
  plannedFunction,
  planOf,
  repositoryOf,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { BuildFailed, type Ending, LIVE } from "./build-failed.ts";
import { type Commit, endStatuses, plannedStatuses } from "./statuses.ts";

const commit: Commit = {
  owner: { ...alice, slug: "alice" },
  repository: repositoryOf(alice),
  sha: shaOf(1),
  urls: { gateway: "http://gateway/", pretty: "", dashboard: "" },
};
const plan = planOf(plannedFunction("cart"), plannedFunction("pay"));

function show(ending: Ending, of: typeof plan | undefined = plan) {
  return endStatuses(commit, of, ending).map(
    ({ context, state, description }) => `${context} ${state}: ${description}`,
  );
}

test("planned functions are pending and name their image", (t) => {
  t.deepEqual(plannedStatuses(commit, plan)[0], {
    context: "cart",
    state: "pending",
    description: "cart function build started, image: registry/alice/shop/cart:0000001-v1",
    targetUrl: `http://localhost/alice/shop/commit/${shaOf(1)}`,
  });
});

test("a live stack and its functions are a success, each leading to its function", (t) => {
  t.deepEqual(show(LIVE), [
    "stack-deploy success: stack is successfully deployed",
    "cart success: deployed: alice-cart",
    "pay success: deployed: alice-pay",
  ]);
  t.is(endStatuses(commit, plan, LIVE)[1]?.targetUrl, "http://gateway/function/alice-cart");
});

test("the function that failed shows its own reason, the others because of whom they were not deployed", (t) => {
  const failures = [{ name: "pay", reason: "npm ci ended with 1" }];
  const { ending } = new BuildFailed("failed", "pay: npm ci ended with 1", failures);

  t.deepEqual(show(ending), [
    "stack-deploy failure: pay: npm ci ended with 1",
    "cart error: not deployed, because of pay",
    "pay failure: npm ci ended with 1",
  ]);
});

test("a failure of the whole stack is every function's; without a plan there are none", (t) => {
  const { ending } = new BuildFailed("failed", "stack.yml is missing");

  t.deepEqual(show(ending), [
    "stack-deploy failure: stack.yml is missing",
    "cart failure: stack.yml is missing",
    "pay failure: stack.yml is missing",
  ]);
  t.deepEqual(
    endStatuses(commit, undefined, ending).map(({ context }) => context),
    ["stack-deploy"],
  );
});

test("a failure of the platform is an error, not a failure of the code", (t) => {
  const { ending } = new BuildFailed("failed", "the disk is full", [], "platform");

  t.deepEqual(show(ending), [
    "stack-deploy error: the disk is full",
    "cart error: the disk is full",
    "pay error: the disk is full",
  ]);
});

for (const state of ["superseded", "cancelled"] as const)
  test(`a build that is ${state} is an error, not a failure of the code`, (t) => {
    const { ending } = new BuildFailed(state, "because");

    t.deepEqual(show(ending), [
      "stack-deploy error: because",
      "cart error: because",
      "pay error: because",
    ]);
  });
