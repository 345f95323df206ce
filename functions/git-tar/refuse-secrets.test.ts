import test from "ava";
import { plannedFunction, planOf } from "#ledger/test-support/set-up.ts";
import type { Owner } from "#ledger/types/owner.ts";
import { refuseSecrets } from "./refuse-secrets.ts";

const owner = (id: number, slug: string): Owner => ({
  id: `github:${id}`,
  scm: "github",
  login: slug,
  slug,
});
const [a, ab, al, alice] = [owner(1, "a"), owner(2, "a-b"), owner(3, "al"), owner(4, "alice")];

/** A plan of one function with these secrets, as they are stored. */
function planWith(...secrets: readonly string[]) {
  const planned = plannedFunction("cart");
  return planOf({ ...planned, deployment: { ...planned.deployment, secrets } });
}

const everybody = [a, ab, al, alice];

function servingWith(ownerId: string, secret: string) {
  return [{ ownerId, deployment: { service: "x", image: "x", secrets: [secret] } }];
}

test("an owner's own secrets are theirs, whoever else is here", (t) => {
  const serving = servingWith(alice.id, "alice-db");

  t.is(refuseSecrets(alice, planWith("alice-db"), everybody, serving), undefined);
  t.is(refuseSecrets(al, planWith("al-ice-db"), everybody, serving), undefined);
  t.is(refuseSecrets(ab, planWith("a-b-db"), everybody, serving), undefined);
  t.is(refuseSecrets(a, planWith("a-db", "a-bdb"), everybody, serving), undefined);
});

test("owner a does not get owner a-b's secret by calling it b-db", (t) => {
  t.is(
    refuseSecrets(a, planWith("a-db", "a-b-db"), everybody, []),
    'functions.cart.secrets: "a-b-db" may be another owner\'s; choose another name',
  );
});

test("who becomes owner a-b does not get what owner a serves with as b-db", (t) => {
  const refusal = refuseSecrets(ab, planWith("a-b-db"), everybody, servingWith(a.id, "a-b-db"));

  t.regex(refusal ?? "", /may be another owner's/);
});
