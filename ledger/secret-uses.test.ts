import test from "ava";
import { setUp } from "./test-support/set-up.ts";

const DAY_MS = 86_400_000;
const none = () => false;
const only =
  (...names: readonly string[]) =>
  (name: string) =>
    names.includes(name);

test("a secret that was used once and not for a while is unused; one that never was is not", (t) => {
  const { ledger, now, wait, reopen } = setUp(t);
  const stored = ["alice-db", "alice-mail", "alice-new"];
  ledger.noteSecretUses(stored, only("alice-db", "alice-mail"), now());
  wait(2 * DAY_MS);

  const young = ledger.noteSecretUses(stored, only("alice-mail"), now() - 3 * DAY_MS);
  const old = reopen().noteSecretUses(stored, only("alice-mail"), now() - DAY_MS);

  t.deepEqual(young, []);
  t.deepEqual(old, ["alice-db"]);
});

test("a secret that is used again is not unused, however long it was", (t) => {
  const { ledger, now, wait } = setUp(t);
  ledger.noteSecretUses(["alice-db"], only("alice-db"), now());
  wait(9 * DAY_MS);

  t.deepEqual(ledger.noteSecretUses(["alice-db"], only("alice-db"), now()), []);
  t.deepEqual(ledger.noteSecretUses(["alice-db"], none, now() - DAY_MS), []);
});

test("a secret that was removed and made anew has not been used", (t) => {
  const { ledger, now, wait } = setUp(t);
  ledger.noteSecretUses(["alice-db"], only("alice-db"), now());
  ledger.noteSecretUses([], none, now());
  wait(9 * DAY_MS);

  t.deepEqual(ledger.noteSecretUses(["alice-db"], none, now()), []);
});
