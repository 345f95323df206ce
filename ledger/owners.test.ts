import test from "ava";
import { alice, buildOf, push, repositoryOf, setUp } from "./test-support/set-up.ts";
import type { Owner } from "./types/owner.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const otherAlice: Omit<Owner, "slug"> = { id: "github:77", scm: "github", login: "Alice" };

test("another owner whose login makes the same slug is refused, with the delivery on record", (t) => {
  const { ledger } = setUp(t);
  ledger.acceptPush(push());

  const answer = ledger.acceptPush(push({ owner: otherAlice, deliveryKey: "github:d1" }));

  t.is(answer.decision, "refused");
  t.regex(answer.reason, /"alice" is taken/);
  t.notRegex(answer.reason, /forge|:1/, "by whom is not told");
  t.like(ledger.findDelivery("github:d1"), { decision: "refused", status: 403 });
  t.is(ledger.findOwner(otherAlice.id), undefined);
  t.is(ledger.listBuilds({ limit: 9 }).length, 1);
});

test("a refused delivery that comes again is refused again, without effect", (t) => {
  const { ledger } = setUp(t);
  ledger.acceptPush(push());
  const again = push({ owner: otherAlice });
  const first = ledger.acceptPush(again);

  const second = ledger.acceptPush(again);

  t.deepEqual(second, first);
  t.is(ledger.listDeliveries(9).length, 2);
});

test("a refused delivery that comes again once its cause is gone is accepted, once", (t) => {
  const { ledger, wait } = setUp(t);
  ledger.acceptPush(push());
  const again = push({ owner: otherAlice, repository: repositoryOf(otherAlice, 20) });
  t.is(ledger.acceptPush(again).decision, "refused");
  ledger.removeOwner(alice.id);
  wait(30 * DAY_MS);

  const second = ledger.acceptPush(again);
  const third = ledger.acceptPush(again);

  t.is(second.decision, "queued", second.reason);
  t.like(third, { decision: "duplicate", build: { id: second.build?.id } });
  t.like(ledger.findDelivery(again.deliveryKey), { decision: "queued", status: 202 });
  t.is(ledger.listDeliveries(9).length, 2);
});

for (const login of ["system", "Admin", "buildshiprun", "a--b", "-a", "é", "a.b", "a".repeat(40)]) {
  test(`owner "${login}" is refused and named`, (t) => {
    const { ledger } = setUp(t);

    const answer = ledger.acceptPush(push({ owner: { ...alice, login } }));

    t.is(answer.decision, "refused");
    t.true(answer.reason.includes(`"${login.toLowerCase()}"`), answer.reason);
    t.deepEqual(ledger.listOwners(), []);
  });
}

test("owners a, a-b, al and alice live side by side", (t) => {
  const { ledger } = setUp(t);
  const logins = ["a", "a-b", "al", "alice"];

  for (const [index, login] of logins.entries()) {
    const owner = { id: `forge:${index}`, scm: "forge", login } as const;
    buildOf(ledger.acceptPush(push({ owner, repository: repositoryOf(owner, index) })));
  }

  t.deepEqual(
    ledger.listOwners().map(({ slug }) => slug),
    logins,
  );
});

test("a renamed owner keeps the slug, and who registers the old login does not get it", (t) => {
  const { ledger } = setUp(t);
  ledger.acceptPush(push());
  const renamed = { ...alice, login: "bob" };

  const answer = ledger.acceptPush(push({ owner: renamed }));
  const taker = ledger.acceptPush(push({ owner: otherAlice }));

  t.is(answer.decision, "queued");
  t.deepEqual(ledger.findOwner(alice.id), { ...renamed, slug: "alice" });
  t.is(ledger.findOwnerBySlug("alice")?.id, alice.id);
  t.is(ledger.findOwnerBySlug("bob"), undefined);
  t.is(taker.decision, "refused");
});

test("a removed owner's slug is another's after 30 days, not before", (t) => {
  const { ledger, wait } = setUp(t);
  ledger.acceptPush(push());
  ledger.removeOwner(alice.id);

  wait(30 * DAY_MS - 1);
  const early = ledger.acceptPush(push({ owner: otherAlice }));
  wait(1);
  const late = ledger.acceptPush(push({ owner: otherAlice }));
  const returning = ledger.acceptPush(push());

  t.is(early.decision, "refused");
  t.is(late.decision, "queued");
  t.is(ledger.findOwnerBySlug("alice")?.id, otherAlice.id);
  t.is(returning.decision, "refused");
});

test("a removed owner who returns has the slug at once", (t) => {
  const { ledger } = setUp(t);
  ledger.acceptPush(push());
  ledger.removeOwner(alice.id);
  t.is(ledger.findOwnerBySlug("alice"), undefined);
  t.deepEqual(ledger.listOwners(), []);

  const answer = ledger.acceptPush(push());

  t.is(answer.decision, "queued");
  t.is(ledger.findOwnerBySlug("alice")?.id, alice.id);
});

test("an owner who returns after somebody else took the slug gets the one of the present login", (t) => {
  const { ledger, wait } = setUp(t);
  ledger.acceptPush(push());
  ledger.removeOwner(alice.id);
  wait(30 * DAY_MS);
  ledger.acceptPush(push({ owner: otherAlice }));

  const answer = ledger.acceptPush(push({ owner: { ...alice, login: "alice2" } }));

  t.is(answer.decision, "queued");
  t.is(ledger.findOwner(alice.id)?.slug, "alice2");
});

test("a repository is remembered as the source last described it", (t) => {
  const { ledger } = setUp(t);
  const repository = repositoryOf(alice);
  ledger.recordRepository(repository);
  const renamed = { ...repository, name: "store", fullName: "alice/store", private: true };

  ledger.recordRepository(renamed);

  t.deepEqual(ledger.findRepository(repository.id), renamed);
  t.deepEqual(ledger.listRepositories(), [renamed]);
  t.deepEqual(ledger.listRepositories("forge:2"), []);
});
