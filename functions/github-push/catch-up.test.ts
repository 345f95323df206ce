import test, { type ExecutionContext } from "ava";
import { setUpIntake } from "../../test/helpers/intake.ts";
import { commitSha, pushDelivery } from "../../test/helpers/push-delivery.ts";
import { createCatchUp } from "./catch-up.ts";
import { readConfig } from "./config.ts";
import { createQueueBuild } from "./queue-build.ts";

/** One pushed repository, and heads as the source has them now. */
async function setUp(t: ExecutionContext) {
  const intake = setUpIntake(t);
  const { ledger, loopback } = intake;
  await intake.deliver(pushDelivery({ after: commitSha(1) }));
  const heads = new Map<string, string | undefined | Error>([["main", commitSha(1)]]);
  const config = readConfig({});
  const quota: { reason?: string } = {};
  const catchUp = createCatchUp({
    ledger,
    readHead: async (_, branch) => {
      const head = heads.get(branch);
      if (head instanceof Error) throw head;
      return head;
    },
    refuseBuild: () => quota.reason,
    queueBuild: createQueueBuild(loopback.gateway, 1_000),
    buildBranch: config.buildBranch,
    urls: config.urls,
  });
  return { ...intake, ledger, heads, quota, catchUp: () => catchUp(loopback.log) };
}

test("a push that no delivery told of is noticed, accepted once, and queued", async (t) => {
  const { ledger, heads, catchUp, jobsFor } = await setUp(t);
  heads.set("main", commitSha(2));

  const first = await catchUp();
  const second = await catchUp();

  t.deepEqual([first, second], [1, 0]);
  const [build] = ledger.listBuilds({ limit: 1 });
  t.like(build, { sha: commitSha(2), generation: 2, branch: "main" });
  t.true(
    jobsFor("git-tar").some(({ body }) => (body as { buildId: string }).buildId === build?.id),
  );
});

test("a head that was accepted last is left alone, even when its build failed", async (t) => {
  const { ledger, catchUp } = await setUp(t);
  const [build] = ledger.listBuilds({ limit: 1 });
  const claim = ledger.claimBuild(build?.id ?? "", "worker", 60_000);
  if (claim !== undefined) ledger.endBuild(claim, "failed", "broken", []);

  t.is(await catchUp(), 0);
  t.is(ledger.listBuilds({ limit: 10 }).length, 1);
});

test("a branch forced back to an older commit is noticed too", async (t) => {
  const { deliver, ledger, catchUp } = await setUp(t);
  await deliver(pushDelivery({ after: commitSha(2) }));

  t.is(await catchUp(), 1);
  t.like(ledger.listBuilds({ limit: 1 })[0], { sha: commitSha(1), generation: 3 });
});

test("a branch that is gone, and a source that is down, change nothing and are said", async (t) => {
  const { ledger, heads, catchUp, loopback } = await setUp(t);

  heads.set("main", undefined);
  const gone = await catchUp();
  heads.set("main", new Error("503"));
  const down = await catchUp();

  t.deepEqual([gone, down], [0, 0]);
  t.is(ledger.listBuilds({ limit: 10 }).length, 1);
  t.true(loopback.lines.some(({ event }) => event === "head-not-read"));
});

test("a repository of which only side branches were pushed is not built unasked", async (t) => {
  const { deliver, heads, catchUp } = await setUp(t);
  await deliver(pushDelivery({ ref: "refs/heads/try", repository: { id: 11, name: "other" } }));
  heads.set("main", commitSha(1));

  t.is(await catchUp(), 0);
});

test("an owner who has had too many builds is caught up with once the next one is possible", async (t) => {
  const { ledger, heads, quota, catchUp } = await setUp(t);
  heads.set("main", commitSha(2));

  quota.reason = "too many";
  const refused = await catchUp();
  delete quota.reason;
  const accepted = await catchUp();

  t.deepEqual([refused, accepted], [0, 1]);
  t.is(ledger.listBuilds({ limit: 1 })[0]?.sha, commitSha(2));
});

test("a repository is caught up with however many builds its owner had since", async (t) => {
  const { ledger, heads, catchUp } = await setUp(t);
  const [build] = ledger.listBuilds({ limit: 1 });
  const owner = ledger.findOwner(build?.ownerId ?? "");
  const repository = ledger.findRepository(build?.repositoryId ?? "");
  if (owner === undefined || repository === undefined) throw new Error("The push is not known.");
  const other = { ...repository, id: "github:11", name: "other", fullName: "alice/other" };
  const status = { context: "stack-deploy", state: "pending", description: "" } as const;
  for (let number = 0; number < 501; number += 1)
    ledger.acceptManually({
      owner,
      repository: other,
      branch: "main",
      sha: commitSha(1),
      status: { ...status, targetUrl: other.url },
      reason: "again",
    });
  heads.set("main", commitSha(2));

  t.is(await catchUp(), 2);

  const newest = ledger.listBuilds({ repositoryId: repository.id, branch: "main", limit: 1 })[0];
  t.is(newest?.sha, commitSha(2));
});
