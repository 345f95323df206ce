import test from "ava";
import { setUpIntake } from "../../test/helpers/intake.ts";
import { commitSha, pushDelivery } from "../../test/helpers/push-delivery.ts";
import { until } from "../../test/helpers/until.ts";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";

test("a push to another branch is answered 200 with the reason, recorded, and audited", async (t) => {
  const { deliver, ledger, jobsFor } = setUpIntake(t);

  const response = await deliver(pushDelivery({ ref: "refs/heads/try", id: "side" }));

  const reason = "skipping build for: refs/heads/try branch, the build branch is: main";
  t.is(response.status, 200);
  t.deepEqual(await response.json(), { queued: false, reason });
  t.like(ledger.findDelivery("github:side"), {
    decision: "skipped",
    reason,
    status: 200,
    ref: "refs/heads/try",
  });
  t.deepEqual(ledger.listBuilds({ limit: 1 }), []);
  await until(() => jobsFor("audit-event").length > 0);
  t.like(jobsFor("audit-event")[0]?.body, { v: 1, Source: "github-push", Message: reason });
});

test("a skipped commit wants a check run skipped, never a success", async (t) => {
  const { deliver, ledger } = setUpIntake(t);

  await deliver(pushDelivery({ ref: "refs/heads/try", after: commitSha(5) }));

  t.like(ledger.listStatuses("github:10", commitSha(5))[0], {
    context: "stack-deploy",
    skipped: true,
  });
});

test("a tag on a commit that is being built leaves what the build says alone", async (t) => {
  const { deliver, ledger } = setUpIntake(t);
  await deliver(pushDelivery());

  await deliver(pushDelivery({ ref: "refs/tags/v1" }));

  const statuses = ledger.listStatuses("github:10", commitSha(1));
  t.is(statuses.length, 1);
  t.like(statuses[0], { state: "pending", skipped: undefined });
});

test("pushes come in any order: the one that was accepted last is the newest", async (t) => {
  const { deliver, ledger } = setUpIntake(t);

  await deliver(pushDelivery({ after: commitSha(2) }));
  await deliver(pushDelivery({ after: commitSha(1) }));

  t.deepEqual(
    ledger.listBuilds({ limit: 10 }).map(({ sha, generation, state }) => [sha, generation, state]),
    [
      [commitSha(1), 2, "accepted"],
      [commitSha(2), 1, "superseded"],
    ],
  );
});

test("the same delivery again after its build failed tries again on purpose", async (t) => {
  const { deliver, ledger } = setUpIntake(t);
  await deliver(pushDelivery({ id: "retry" }));
  const [first] = ledger.listBuilds({ limit: 1 });
  const claim = ledger.claimBuild(first?.id ?? "", "worker", 60_000);
  if (claim !== undefined) ledger.endBuild(claim, "failed", "no stack.yml", []);

  const response = await deliver(pushDelivery({ id: "retry" }));

  const [second] = ledger.listBuilds({ limit: 1 });
  t.is(response.status, 202);
  t.not(second?.id, first?.id);
  t.like(second, { generation: 2, state: "accepted" });
});

test("a reserved owner name is refused with 403, and the commit shows the reason", async (t) => {
  const { deliver, ledger, jobsFor } = setUpIntake(t);

  const response = await deliver(
    pushDelivery({ owner: { id: 66, login: "system" }, id: "reserved" }),
  );

  t.is(response.status, 403);
  t.like(await response.json(), {
    queued: false,
    reason: 'owner "system" is reserved by the platform',
  });
  t.like(ledger.findDelivery("github:reserved"), { decision: "refused" });
  t.deepEqual(jobsFor("git-tar"), []);
  t.like(ledger.listUnsent(Date.now())[0], {
    state: "failure",
    description: 'owner "system" is reserved by the platform',
  });
});

test("a call without source and delivery id is refused", async (t) => {
  const { ledger, loopback } = setUpIntake(t);
  const handler = createHandler({ config: readConfig({}), ledger, gateway: loopback.gateway });

  const response = await loopback.serve(handler)(
    new Request("http://functions/github-push?scm=gitlab&delivery=1", {
      method: "POST",
      body: "{}",
    }),
  );

  t.is(response.status, 400);
});

test("a push beyond the owner's builds of an hour is refused, and the commit says when the next is possible", async (t) => {
  const { deliver, ledger, jobsFor } = setUpIntake(t, { owner_builds_per_hour: "2" });
  await deliver(pushDelivery({ after: commitSha(1) }));
  await deliver(pushDelivery({ after: commitSha(2) }));

  const response = await deliver(pushDelivery({ after: commitSha(3), id: "third" }));

  t.is(response.status, 403);
  const { reason } = (await response.json()) as { reason: string };
  t.regex(reason, /had 2 builds within an hour .*; the next one is possible at 01:00 UTC$/);
  t.like(ledger.findDelivery("github:third"), { decision: "refused", reason, status: 403 });
  t.like(ledger.listStatuses("github:10", commitSha(3))[0], {
    state: "failure",
    description: reason,
  });
  t.is(ledger.listBuilds({ limit: 10 }).length, 2);
  await until(() => jobsFor("git-tar").length === 2);
});

test("a redelivery of what was accepted is answered as it was; of what was refused it is decided anew", async (t) => {
  const { deliver, ledger, wait } = setUpIntake(t, { owner_builds_per_hour: "1" });
  const first = await deliver(pushDelivery({ after: commitSha(1), id: "first" }));
  await deliver(pushDelivery({ after: commitSha(2), id: "second" }));

  const again = await deliver(pushDelivery({ after: commitSha(1), id: "first" }));
  const refusedAgain = await deliver(pushDelivery({ after: commitSha(2), id: "second" }));

  t.is(again.status, 202);
  t.deepEqual(await again.json(), await first.json());
  t.is(refusedAgain.status, 403);
  t.is(ledger.listBuilds({ limit: 10 }).length, 1);
  wait(3_600_000);
  const later = await deliver(pushDelivery({ after: commitSha(2), id: "second" }));
  t.is(later.status, 202);
  t.like(ledger.findDelivery("github:second"), { decision: "queued" });
  t.like(ledger.listStatuses("github:10", commitSha(2))[0], { state: "pending" });
});

test("an hour after the oldest of them the next push is accepted, as another owner's is at once", async (t) => {
  const { deliver, wait } = setUpIntake(t, { owner_builds_per_hour: "1" });
  const bobs = { owner: { id: 2, login: "bob" }, repository: { id: 20, name: "shop" } };
  await deliver(pushDelivery({ after: commitSha(1) }));

  const other = await deliver(pushDelivery({ after: commitSha(9), ...bobs }));
  wait(3_600_000 - 1);
  const early = await deliver(pushDelivery({ after: commitSha(2) }));
  wait(1);
  const late = await deliver(pushDelivery({ after: commitSha(3) }));

  t.deepEqual([other.status, early.status, late.status], [202, 403, 202]);
});

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/github-push"), variablesOf(readConfig));
});

for (const [what, ref] of [
  ["a push that is built", "refs/heads/main"],
  ["a push that is not built", "refs/heads/try"],
] as const) {
  test(`${what} is answered when its record is on the disk, and as 5xx when the disk refuses`, async (t) => {
    const { deliver, ledger, handlers, loopback } = setUpIntake(t);
    const disk = Promise.withResolvers<void>();
    handlers["github-push"] = createHandler({
      config: readConfig({}),
      ledger: { ...ledger, synced: () => disk.promise },
      gateway: loopback.gateway,
    });
    let answered = false;

    const answer = deliver(pushDelivery({ ref, id: "slow" })).finally(() => {
      answered = true;
    });

    await until(() => ledger.findDelivery("github:slow") !== undefined);
    t.false(answered);
    disk.reject(new Error("EIO"));
    t.is((await answer).status, 502);
  });
}
