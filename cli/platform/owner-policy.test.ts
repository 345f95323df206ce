import test, { type ExecutionContext } from "ava";
import { alice, setUp as openLedgerFor, push, repositoryOf } from "#ledger/test-support/set-up.ts";
import { createOwnerPolicy, guardLedger } from "./owner-policy.ts";

const owner = (login: string, number: number) =>
  ({ id: `forge:${number}`, scm: "forge", login }) as const;

/** A ledger in which these owners have pushed. */
function setUp(t: ExecutionContext, logins: readonly string[], strangersAllowed = false) {
  const { ledger } = openLedgerFor(t);
  for (const [index, login] of logins.entries()) {
    const who = owner(login, index + 1);
    ledger.acceptPush(push({ owner: who, repository: repositoryOf(who, index + 10) }));
  }
  return { ledger, policy: createOwnerPolicy(ledger, strangersAllowed) };
}

for (const [here, login, allowed] of [
  [[], "alice", true],
  [["alice"], "alice", true],
  [["alice"], "Alice", true],
  [["alice"], "al", false],
  [["alice"], "alice-2", false],
  [["a-b"], "a", false],
  [["alice"], "demo", true],
  [["alice"], "ofc-doctor", true],
  [["demo", "ofc-doctor"], "alice", true],
  [["demo"], "demo-2", true],
  [["alice"], "demo-2", false],
] as const) {
  test(`with ${here.join(", ") || "nobody"} here, ${login} ${allowed ? "may" : "may not"} push`, (t) => {
    const { policy } = setUp(t, here);

    t.is(policy.refuse(login) === undefined, allowed);
  });
}

test("a refusal names who is here and the switch with what it risks", (t) => {
  const { policy } = setUp(t, ["alice"]);

  t.is(
    policy.refuse("Bob"),
    'The process engine does not isolate owners, and "alice" is here already. Set process_engine_runs_strangers_code=true if "bob" may read and change everything that "alice" runs.',
  );
});

test("with the switch any owner may push, but for names that nobody may have", (t) => {
  const { policy } = setUp(t, ["alice"], true);

  t.is(policy.refuse("bob"), undefined);
  t.is(policy.refuse("System"), 'owner "system" is reserved by the platform.');
  t.regex(policy.refuse("a--b") ?? "", /"--" is kept for versions\.$/);
  t.regex(policy.refuse("no spaces") ?? "", /lower-case letters, digits and "-"/);
});

test("a push that the policy refuses makes no build, and its delivery says why", (t) => {
  const { ledger, policy } = setUp(t, ["alice"]);
  const bob = owner("Bob", 2);
  const guarded = guardLedger(ledger, policy, () => 7);

  const accepted = guarded.acceptPush(
    push({ owner: bob, repository: repositoryOf(bob, 20), deliveryKey: "forge:b-1" }),
  );

  t.is(accepted.decision, "refused");
  t.is(accepted.build, undefined);
  t.is(ledger.listBuilds({ limit: 10 }).length, 1);
  t.is(ledger.findOwner("forge:2"), undefined);
  t.like(ledger.findDelivery("forge:b-1"), {
    decision: "refused",
    reason: accepted.reason,
    status: 403,
    receivedAt: 7,
    ownerLogin: "Bob",
    repository: "Bob/shop",
  });
});

test("a push that the policy lets through is the ledger's to accept", (t) => {
  const { ledger, policy } = setUp(t, []);

  const accepted = guardLedger(ledger, policy).acceptPush(push({ owner: alice }));

  t.is(accepted.decision, "queued");
  t.is(ledger.listBuilds({ limit: 10 })[0]?.id, accepted.build?.id);
});
