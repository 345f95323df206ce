import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import {
  alice,
  buildOf,
  claim,
  deployUp,
  plannedFunction,
  planOf,
  push,
  releaseDraft,
  setUp as setUpLedger,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { createLog } from "#sdk/log.ts";
import { createArtifactStore } from "../../builder/host/artifact-store.ts";
import { createGarbage, readGarbageSettings } from "./collect-garbage.ts";

const LONG_AGO = new Date("2025-01-01");

async function setUp(t: ExecutionContext, env: Record<string, string> = {}) {
  const { ledger, now, wait } = setUpLedger(t);
  const dataFolder = await mkdtemp(join(tmpdir(), "garbage-"));
  t.teardown(() => rm(dataFolder, { recursive: true }));
  const store = createArtifactStore(join(dataFolder, "artifacts"));
  const running: string[] = [];
  const garbage = createGarbage({
    dataFolder,
    ledger,
    runningImages: async () => running,
    artifacts: store,
    settings: readGarbageSettings({ keep_unused_artifacts: "0s", keep_releases: "2", ...env }),
    log: createLog(() => {}),
    now,
  });
  let made = 0;

  return {
    ledger,
    wait,
    garbage,
    running,
    dataFolder,
    /** A stored artefact of a key, as old as the artefact store takes for settled. */
    async build(key: string): Promise<string> {
      const folder = join(dataFolder, `work-${++made}`);
      await mkdir(join(folder, "root"), { recursive: true });
      await writeFile(join(folder, "root/handler.js"), key);
      const { digest, sizeBytes } = await store.keep(folder, 1_000);
      const home = join(dataFolder, "artifacts", digest.slice("sha256:".length));
      await utimes(home, LONG_AGO, LONG_AGO);
      ledger.recordArtifact({
        ownerId: alice.id,
        key,
        digest,
        image: key,
        sizeBytes,
        createdAt: now(),
      });
      return digest;
    },
    /** A push that makes `digest` serve as alice-cart. */
    serve(digest: string, number: number): void {
      const held = claim(ledger, buildOf(ledger.acceptPush(push({ sha: shaOf(number) }))));
      deployUp(ledger, held, planOf(plannedFunction("cart")));
      ledger.forgetArtifact(alice.id, "v1:cart");
      const id = `release-${number}`;
      ledger.declareRelease(held, { ...releaseDraft("alice-cart", id), digest });
      ledger.markRelease(id, "alice-cart", "serving");
      ledger.endBuild(held, "live", "", []);
    },
    keys: () => ledger.listArtifacts().map(({ key }) => key),
    folders: async () => (await readdir(join(dataFolder, "artifacts"))).sort(),
    async write(path: string, bytes = 10_000): Promise<void> {
      await mkdir(dirname(join(dataFolder, path)), { recursive: true });
      await writeFile(join(dataFolder, path), Buffer.alloc(bytes));
    },
    async age(path: string, at: Date): Promise<void> {
      for (const name of await readdir(join(dataFolder, path), { recursive: true }))
        await utimes(join(dataFolder, path, name), at, at);
      await utimes(join(dataFolder, path), at, at);
    },
  };
}

const hexOf = (digest: string) => digest.slice("sha256:".length);

test("of a function's releases the newest keep their artefacts, on disk and in the ledger", async (t) => {
  const { garbage, build, serve, keys, folders, wait } = await setUp(t);
  const digests: string[] = [];
  for (const number of [1, 2, 3, 4]) {
    digests.push(await build(`v1:${number}`));
    serve(digests.at(-1) ?? "", number);
    wait(1);
  }

  const removed = await garbage.collectArtifacts();

  t.deepEqual([...removed].sort(), digests.slice(0, 2).sort());
  t.deepEqual(keys(), ["v1:3", "v1:4"]);
  t.deepEqual(await folders(), digests.slice(2).map(hexOf).sort());
});

test("what a build under way has planned, and what the engine runs, stays", async (t) => {
  const { ledger, garbage, build, running, keys, folders } = await setUp(t);
  const planned = await build("v1:cart");
  const manual = await build("v1:manual");
  await build("v1:nobody");
  const held = claim(ledger, buildOf(ledger.acceptPush(push())));
  ledger.storePlan(held, planOf(plannedFunction("cart")), []);
  running.push(`registry/alice/other@${manual}`);

  await garbage.collectArtifacts();

  t.deepEqual(keys().sort(), ["v1:cart", "v1:manual"]);
  t.deepEqual(await folders(), [planned, manual].map(hexOf).sort());
});

test("a crash between ledger and disk leaves a folder, which the next round removes", async (t) => {
  const { ledger, garbage, build, folders } = await setUp(t);
  await build("v1:nobody");
  ledger.forgetArtifact(alice.id, "v1:nobody");
  t.is((await folders()).length, 1);

  await garbage.collectArtifacts();

  t.deepEqual(await folders(), []);
});

test("a folder that was built a moment ago stays, because its record may still come", async (t) => {
  const { ledger, garbage, build, folders, dataFolder } = await setUp(t);
  const digest = await build("v1:new");
  ledger.forgetArtifact(alice.id, "v1:new");
  await utimes(join(dataFolder, "artifacts", hexOf(digest)), new Date(), new Date());

  await garbage.collectArtifacts();

  t.deepEqual(await folders(), [hexOf(digest)]);
});

test("mirrors, package caches and logs beyond the ceiling go; forge repositories and logs of what serves stay", async (t) => {
  const { ledger, garbage, build, serve, write, age, dataFolder } = await setUp(t, {
    cache_ceiling_mib: "0",
  });
  serve(await build("v1:1"), 1);
  const [live] = ledger.listBuilds({ limit: 1 });
  const logs = "objects/v1/forge:1/forge:10";
  const paths = {
    mirror: "git/mirrors/forge/1.git",
    fresh: "git/mirrors/forge/2.git",
    cache: "builder/cache/abc",
    oldLog: `${logs}/old-build`,
    liveLog: `${logs}/${live?.id}`,
    repository: "git/forge/1.git",
  };
  for (const path of Object.values(paths)) {
    await write(`${path}/HEAD`);
    await age(path, LONG_AGO);
  }
  await age(paths.fresh, new Date(Date.UTC(2026, 0, 1)));

  const dropped = await garbage.collectCaches();

  const expected = [paths.mirror, paths.cache, paths.oldLog].map((path) => join(dataFolder, path));
  t.deepEqual([...dropped].sort(), expected.sort());
  t.deepEqual(await readdir(join(dataFolder, "git/forge")), ["1.git"]);
  t.deepEqual(await readdir(join(dataFolder, logs)), [live?.id ?? ""]);
  t.deepEqual(await readdir(join(dataFolder, "git/mirrors/forge/2.git")), ["HEAD"]);
});
