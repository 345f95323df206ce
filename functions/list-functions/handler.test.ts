import test, { type ExecutionContext } from "ava";
import { setUp as openLedgerFor, push, repositoryOf } from "#ledger/test-support/set-up.ts";
import { labels } from "#sdk/labels.ts";
import { createLoopback, deployedFunction } from "../../test/helpers/loopback-gateway.ts";
import { createHandler } from "./handler.ts";

/** Labels as a push of this owner puts them on a function. */
const ownedBy = (id: string) => ({ [labels.gitScm]: "forge", [labels.gitOwnerId]: id });

/** Two owners with names that begin alike, and a function of each. */
function setUp(t: ExecutionContext) {
  const { ledger } = openLedgerFor(t);
  const loopback = createLoopback();
  for (const [id, login] of [
    [1, "Alice"],
    [2, "al"],
  ] as const) {
    const owner = { id: `forge:${id}`, scm: "forge" as const, login };
    ledger.acceptPush(push({ owner, repository: repositoryOf(owner, id * 10) }));
  }
  loopback.deployed.push(
    deployedFunction("alice-cart", ownedBy("1")),
    deployedFunction("al-ice-cart", ownedBy("2")),
    deployedFunction("figlet"),
    Object.assign(deployedFunction("bare"), { labels: undefined }),
  );
  const answer = loopback.serve(createHandler({ ledger, gateway: loopback.gateway }));
  const list = (body: string, query = "") =>
    answer(new Request(`http://functions/list-functions${query}`, { method: "POST", body }));
  return { answer, list };
}

const names = async (response: Response) =>
  ((await response.json()) as { name: string }[]).map(({ name }) => name);

for (const user of ["alice", "ALICE", " Alice\n"]) {
  test(`user ${JSON.stringify(user)} has the functions of that owner's id, and no others`, async (t) => {
    const { list } = setUp(t);

    t.deepEqual(await names(await list(user)), ["alice-cart"]);
  });
}

test("an owner whose name another's begins with sees only what is theirs", async (t) => {
  const { list } = setUp(t);

  t.deepEqual(await names(await list("al")), ["al-ice-cart"]);
});

test("the user may be in the query, and the registry is not told", async (t) => {
  const { answer } = setUp(t);

  const response = await answer(new Request("http://functions/list-functions?user=alice"));

  t.is(response.headers.get("content-type"), "application/json");
  t.like(await response.json(), [
    { name: "alice-cart", image: "alice/shop/alice-cart:1", labels: ownedBy("1"), replicas: 1 },
  ]);
});

test("a user nobody knows has an empty list", async (t) => {
  const { list } = setUp(t);

  t.deepEqual(await (await list("nobody")).json(), []);
});

test("without a user the answer is 400", async (t) => {
  const { list } = setUp(t);

  t.is((await list("")).status, 400);
  t.is((await list("a".repeat(101))).status, 400);
});
