import test, { type ExecutionContext } from "ava";
import {
  alice,
  buildOf,
  claim,
  deployUp,
  setUp as openLedgerFor,
  plannedFunction,
  planOf,
  push,
  releaseDraft,
  repositoryOf,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { labels } from "#sdk/labels.ts";
import type { GarbageRequest } from "#sdk/messages.ts";
import { createFileObjects } from "#sdk/object-store.ts";
import { createLoopback, deployedFunction } from "../../test/helpers/loopback-gateway.ts";
import { createHandler } from "./handler.ts";

const shop = repositoryOf(alice);
const blog = repositoryOf(alice, 11, "blog");

function setUp(t: ExecutionContext) {
  const place = openLedgerFor(t);
  const { ledger } = place;
  const objects = createFileObjects(`${place.path}-objects`);
  const loopback = createLoopback();
  const { gateway, deployed } = loopback;
  const answer = loopback.serve(createHandler({ ledger, gateway, objects }));
  let pushes = 0;

  return {
    ...place,
    ledger,
    objects,
    loopback,
    accept: (repository: Repository = shop) => {
      pushes += 1;
      return buildOf(ledger.acceptPush(push({ repository, sha: shaOf(pushes) })));
    },
    /** Take a build to live with these functions serving. */
    goLive: (build: Build, ...functions: string[]) => {
      const held = claim(ledger, build);
      deployUp(ledger, held, planOf(...functions.map((name) => plannedFunction(name))));
      for (const name of functions) {
        const service = `alice-${name}`;
        const release = ledger.declareRelease(held, releaseDraft(service, `${build.id}-${name}`));
        ledger.markRelease(release.id, service, "serving");
        if (!deployed.some((one) => one.name === service)) deployed.push(deployedFunction(service));
      }
      ledger.endBuild(held, "live", "deployed", []);
    },
    names: () => deployed.map(({ name }) => name).sort(),
    collect: (request: Partial<GarbageRequest>, accept = "*/*") =>
      answer(
        new Request("http://functions/garbage-collect", {
          method: "POST",
          headers: { accept },
          body: JSON.stringify({
            functions: [],
            repo: "shop",
            owner: "alice",
            ownerId: alice.id,
            ...request,
          }),
        }),
      ),
  };
}

test("what the stack no longer has is deleted, told, and its name freed", async (t) => {
  const { accept, goLive, collect, names, ledger, loopback } = setUp(t);
  goLive(accept(), "cart", "pay");

  const response = await collect({ functions: ["cart"] });

  t.is(response.status, 200);
  t.is(await response.text(), "Garbage collection ran for alice/shop - 1 functions deleted.");
  t.deepEqual(names(), ["alice-cart"]);
  t.is(ledger.currentRelease("alice-pay"), undefined);
  t.is(ledger.ownerOfFunction("alice-pay"), undefined);
  t.like(loopback.jobs.at(-1), {
    name: "audit-event",
    body: { Source: "garbage-collect", Owner: "alice", Repo: "shop" },
  });
});

test("JSON is answered where it is asked for", async (t) => {
  const { accept, goLive, collect } = setUp(t);
  goLive(accept(), "cart");

  const response = await collect({}, "application/json");

  t.deepEqual(await response.json(), {
    message: "Garbage collection ran for alice/shop - 1 functions deleted.",
    deleted: ["alice-cart"],
  });
});

test("another repository of the owner, and another owner's like-named one, are left alone", async (t) => {
  const { accept, goLive, collect, names, loopback } = setUp(t);
  goLive(accept(), "cart");
  goLive(accept(blog), "posts");
  loopback.deployed.push(
    deployedFunction("bob-cart", {
      [labels.gitScm]: "forge",
      [labels.gitOwnerId]: "2",
      [labels.gitRepo]: "shop",
      [labels.gitOwner]: "alice",
    }),
    deployedFunction("figlet"),
  );

  await collect({ repo: "SHOP" });

  t.deepEqual(names(), ["alice-posts", "bob-cart", "figlet"]);
});

test("a star means every repository of the owner's id", async (t) => {
  const { accept, goLive, collect, names } = setUp(t);
  goLive(accept(), "cart");
  goLive(accept(blog), "posts");

  const nobody = await collect({ repo: "*", ownerId: "github:1" });
  const before = names();
  await collect({ repo: "*" });

  t.is(nobody.status, 200);
  t.deepEqual(before, ["alice-cart", "alice-posts"]);
  t.deepEqual(names(), []);
});

test("a repository is found by its id although it has another name by now", async (t) => {
  const { accept, goLive, collect, names } = setUp(t);
  goLive(accept(), "cart");

  await collect({ repo: "renamed", repositoryId: shop.id });

  t.deepEqual(names(), []);
});

test("a function that only its labels tell of is collected as well", async (t) => {
  const { accept, collect, names, loopback } = setUp(t);
  accept();
  const owned = { [labels.gitScm]: "forge", [labels.gitOwnerId]: "1" };
  loopback.deployed.push(
    deployedFunction("alice-old", { ...owned, [labels.gitRepoId]: "10" }),
    deployedFunction("alice-older", { ...owned, [labels.gitRepo]: "Shop" }),
    deployedFunction("alice-other", { ...owned, [labels.gitRepoId]: "11" }),
  );

  await collect({});

  t.deepEqual(names(), ["alice-other"]);
});

test("what was gone already is not counted", async (t) => {
  const { accept, goLive, collect, loopback } = setUp(t);
  goLive(accept(), "cart", "pay");
  loopback.deployed.splice(0, 1);

  const response = await collect({});

  t.regex(await response.text(), / - 1 functions deleted\.$/);
});

test("a function that cannot be deleted is named, keeps its name, and the rest is deleted", async (t) => {
  const { accept, goLive, collect, names, ledger, loopback } = setUp(t);
  goLive(accept(), "cart", "pay");
  loopback.undeletable.add("alice-cart");

  const first = await collect({});
  const message = ((await first.json()) as { message: string }).message;
  loopback.undeletable.clear();
  const again = await collect({});

  t.is(first.status, 503);
  t.regex(message, /Unable to delete function: `alice-cart` \(.*cannot be deleted\)/);
  t.is(ledger.ownerOfFunction("alice-cart"), undefined);
  t.regex(await again.text(), / - 1 functions deleted\.$/);
  t.deepEqual(names(), []);
});

test("a clean-up that comes late spares what a newer push brought back", async (t) => {
  const { accept, goLive, collect, names } = setUp(t);
  const first = accept();
  goLive(first, "cart", "pay");
  goLive(accept(), "cart", "pay");

  await collect({ functions: ["cart"], buildId: first.id, repositoryId: shop.id });

  t.deepEqual(names(), ["alice-cart", "alice-pay"]);
});

test("uninstalling stops builds that would bring the functions back", async (t) => {
  const { accept, goLive, collect, ledger, now, wait, names } = setUp(t);
  goLive(accept(), "cart");
  const waiting = accept();
  wait(1_000);

  const response = await collect({ repo: "*", before: now() });

  t.is(response.status, 200);
  t.like(ledger.findBuild(waiting.id), {
    state: "cancelled",
    reason: "the repository was removed",
  });
  t.deepEqual(names(), []);
});

test("a build that is being deployed is waited for: the clean-up is tried again", async (t) => {
  const { accept, goLive, collect, ledger, now, wait } = setUp(t);
  goLive(accept(), "cart");
  const busy = accept();
  const held = claim(ledger, busy);
  deployUp(ledger, held);
  wait(1_000);

  const first = await collect({ repo: "*", before: now() });
  ledger.endBuild(held, "live", "deployed", []);
  const second = await collect({ repo: "*", before: now() });

  t.is(first.status, 503);
  t.regex(((await first.json()) as { message: string }).message, /is being deployed/);
  t.is(second.status, 200);
});

test("an account that came back before the clean-up ran keeps its new functions and logs", async (t) => {
  const { accept, goLive, collect, ledger, now, wait, names, objects } = setUp(t);
  const old = accept();
  goLive(old, "cart", "pay");
  const left = now();
  wait(1_000);
  const fresh = accept();
  goLive(fresh, "cart");
  await objects.put(`${alice.id}/${shop.id}/${fresh.id}/cart.log`, "log");

  await collect({ repo: "*", before: left });

  t.deepEqual(names(), ["alice-cart"]);
  t.is(ledger.findBuild(fresh.id)?.state, "live");
  t.truthy(await objects.get(`${alice.id}/${shop.id}/${fresh.id}/cart.log`));
});

test("a repository that is removed takes its build logs along", async (t) => {
  const { accept, goLive, collect, objects } = setUp(t);
  const build = accept();
  goLive(build, "cart");
  const key = `${alice.id}/${shop.id}/${build.id}/cart.log`;
  await objects.put(key, "log");

  await collect({ functions: ["cart"] });
  const kept = await objects.get(key);
  await collect({ repositoryId: shop.id });

  t.truthy(kept);
  t.is(await objects.get(key), undefined);
});

test("an account that leaves takes its secrets along, and nobody else's", async (t) => {
  const { accept, goLive, collect, ledger, loopback } = setUp(t);
  goLive(accept(), "cart");
  const owner = { id: "forge:2", scm: "forge", login: "alice-b" } as const;
  ledger.acceptPush(push({ owner, repository: repositoryOf(owner, 20) }));
  loopback.deployed.push({ ...deployedFunction("by-hand"), secrets: ["alice-shared"] });
  for (const name of ["alice-db", "alice-b-db", "alice-shared", "alicedb", "bob-db"])
    loopback.secrets.add(name);

  await collect({ repositoryId: shop.id });
  const afterRepository = loopback.secrets.size;
  await collect({ repo: "*" });

  t.is(afterRepository, 5);
  t.deepEqual([...loopback.secrets].sort(), ["alice-b-db", "alice-shared", "alicedb", "bob-db"]);
});

test("an account that came back keeps its secrets", async (t) => {
  const { accept, goLive, collect, now, wait, loopback } = setUp(t);
  goLive(accept(), "cart");
  const left = now();
  wait(1_000);
  goLive(accept(), "cart");
  loopback.secrets.add("alice-db");

  await collect({ repo: "*", before: left });

  t.deepEqual([...loopback.secrets], ["alice-db"]);
});

for (const [what, request] of [
  ["an owner without an id", { ownerId: "alice" }],
  ["an id with a path in it", { ownerId: "forge:../2" }],
  ["no repository", { repo: "" }],
] as const) {
  test(`a request with ${what} is refused and deletes nothing`, async (t) => {
    const { accept, goLive, collect, names } = setUp(t);
    goLive(accept(), "cart");

    t.is((await collect(request)).status, 400);
    t.deepEqual(names(), ["alice-cart"]);
  });
}
