import { z } from "zod";
import { goLive } from "#ledger/test-support/go-live.ts";
import { buildOf, push, repositoryOf, shaOf } from "#ledger/test-support/set-up.ts";
import { startAdmin, testAdmin } from "../../test/helpers/start-admin.ts";
import { until } from "../../test/helpers/until.ts";
import { connectAdmin } from "../admin-client.ts";
import { BUILDS, FUNCTIONS } from "../views.ts";

const anything = z.unknown();

testAdmin("functions are those the ledger says serve, with what the gateway counts", async (t) => {
  const { ledger, deploy, dataFolder } = await startAdmin(t);
  goLive(ledger);
  deploy("alice-cart");
  deploy("alice-undeclared");
  const admin = await connectAdmin(dataFolder);

  const functions = await admin.get("/functions", FUNCTIONS);

  t.is(functions.length, 1);
  t.like(functions[0], {
    name: "alice-cart",
    repository: "alice/shop",
    replicas: 1,
    availableReplicas: 1,
    url: "http://127.0.0.1:8080/function/alice-cart",
  });
  t.deepEqual(await admin.get("/functions?owner=ALICE", FUNCTIONS), functions);
});

testAdmin("builds are listed newest first, of one owner, and no more than asked for", async (t) => {
  const { ledger, dataFolder } = await startAdmin(t);
  const bob = { id: "forge:2", scm: "forge", login: "bob" } as const;
  ledger.acceptPush(push({ sha: shaOf(1) }));
  ledger.acceptPush(push({ owner: bob, repository: repositoryOf(bob, 20) }));
  ledger.acceptPush(push({ sha: shaOf(3), branch: "dev" }));
  const admin = await connectAdmin(dataFolder);
  const branches = async (query: string) =>
    (await admin.get(`/builds${query}`, BUILDS)).map(({ repository, branch }) => [
      repository,
      branch,
    ]);

  t.deepEqual(await branches(""), [
    ["alice/shop", "dev"],
    ["bob/shop", "main"],
    ["alice/shop", "main"],
  ]);
  t.deepEqual(await branches("?limit=1"), [["alice/shop", "dev"]]);
  t.deepEqual(await branches("?owner=Bob"), [["bob/shop", "main"]]);
});

testAdmin("what is asked for wrongly, or is not there, is refused with a sentence", async (t) => {
  const { dataFolder } = await startAdmin(t);
  const admin = await connectAdmin(dataFolder);
  const nobody = 'There is no owner "bob"; known: none, nobody has pushed yet.';
  const noBuild = 'There is no build "nix"; ./ofc builds lists them.';

  for (const [path, message] of [
    ["/builds?limit=0", 'limit is "0"; expected a whole number from 1 to 1000.'],
    ["/builds?limit=all", 'limit is "all"; expected a whole number from 1 to 1000.'],
    ["/builds?owner=bob", nobody],
    ["/functions?owner=bob", nobody],
    ["/builds/nix", noBuild],
    ["/builds/nix/events", noBuild],
    [
      "/logs/nix",
      'There is no function "nix"; ./ofc status lists them by the names they are deployed under.',
    ],
    ["/nonsense", "The platform answered 404 to /nonsense."],
  ] as const) {
    await t.throwsAsync(admin.get(path, anything), { message }, path);
  }
});

testAdmin("what cannot be changed is refused with a sentence", async (t) => {
  const { dataFolder } = await startAdmin(t);
  const admin = await connectAdmin(dataFolder);

  for (const [path, body, message] of [
    ["/builds/nix/cancel", {}, 'There is no build "nix"; ./ofc builds lists them.'],
    [
      "/redeploy",
      { target: "nix" },
      '"nix" is no function, <owner>/<repository> or build id that is known here; ./ofc status lists them.',
    ],
    [
      "/remove",
      { target: "nix" },
      '"nix" is no deployed function and no <owner>/<repository> with one; ./ofc status lists them.',
    ],
    ["/queue/retry", { id: "nix" }, 'There is no dead letter "nix"; ./ofc queue lists them.'],
    ["/tokens", { owner: "system" }, 'owner "system" is reserved by the platform.'],
    [
      "/tokens",
      { owner: "not a name" },
      'owner "not a name": a name is at most 39 lower-case letters, digits and "-" (a DNS label).',
    ],
  ] as const) {
    await t.throwsAsync(admin.post(path, body, anything), { message }, path);
  }
});

testAdmin("a build is cancelled until it deploys, and then says that it is too late", async (t) => {
  const { ledger, dataFolder } = await startAdmin(t);
  const waiting = buildOf(ledger.acceptPush(push()));
  const admin = await connectAdmin(dataFolder);

  const cancelled = await admin.post(`/builds/${waiting.id}/cancel`, {}, anything);

  t.like(cancelled, { id: waiting.id, state: "cancelled", reason: "cancelled by the operator" });
  await t.throwsAsync(admin.post(`/builds/${waiting.id}/cancel`, {}, anything), {
    message: `Build ${waiting.id} is cancelled; only a build that is not yet deploying can be cancelled.`,
  });
});

testAdmin(
  "a redeploy by function, repository or build accepts the commit again and queues it",
  async (t) => {
    const { ledger, loopback, dataFolder } = await startAdmin(t);
    const live = goLive(ledger);
    const admin = await connectAdmin(dataFolder);
    const shape = z.object({ build: z.string(), sha: z.string() });

    for (const [index, target] of ["alice-cart", "Alice/Shop", live.id].entries()) {
      const { build, sha } = await admin.post("/redeploy", { target }, shape);

      t.is(sha, live.sha, target);
      t.like(ledger.findBuild(build), {
        state: "accepted",
        generation: live.generation + index + 1,
      });
      t.deepEqual(loopback.jobs[index], {
        name: "git-tar",
        body: { v: 1, buildId: build, step: "run" },
        ownerId: "forge:1",
      });
    }
  },
);

testAdmin("a function that is removed is gone from the gateway and the ledger", async (t) => {
  const { ledger, loopback, deploy, dataFolder } = await startAdmin(t);
  goLive(ledger);
  deploy("alice-cart");
  const admin = await connectAdmin(dataFolder);

  const removed = await admin.post("/remove", { target: "alice/shop" }, anything);

  t.deepEqual(removed, { removed: ["alice-cart"] });
  t.deepEqual(loopback.deployed, []);
  t.is(ledger.currentRelease("alice-cart"), undefined);
});

testAdmin(
  "a removal that fails keeps the function in the ledger, to be removed again",
  async (t) => {
    const { ledger, loopback, deploy, dataFolder } = await startAdmin(t);
    goLive(ledger);
    deploy("alice-cart");
    loopback.undeletable.add("alice-cart");
    const admin = await connectAdmin(dataFolder);

    await t.throwsAsync(admin.post("/remove", { target: "alice-cart" }, anything), {
      message: "alice-cart cannot be deleted",
    });

    t.is(ledger.currentRelease("alice-cart")?.service, "alice-cart");
  },
);

testAdmin("a log stream that is followed ends when its reader leaves", async (t) => {
  const line = {
    name: "alice-cart",
    namespace: "openfaas-fn",
    instance: "r1",
    timestamp: "2026-01-01T00:00:00.000Z",
    text: "hello",
  };
  const { deploy, dataFolder } = await startAdmin(t, { printed: [line] });
  deploy("alice-cart");
  const admin = await connectAdmin(dataFolder);
  const leave = new AbortController();

  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const text of admin.lines("/logs/alice-cart?follow=true", leave.signal))
      seen.push(JSON.parse(text));
  })();
  await until(() => seen.length > 0);
  leave.abort();

  await t.throwsAsync(reading, { name: "AbortError" });
  t.deepEqual(seen, [line]);
});
