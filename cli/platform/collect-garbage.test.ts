import { access, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { goLive } from "#ledger/test-support/go-live.ts";
import {
  alice,
  buildOf,
  claim,
  plannedFunction,
  planOf,
  push,
  setUp as setUpLedger,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { ReleaseState } from "#ledger/types/release.ts";
import { createLog } from "#sdk/log.ts";
import { createArtifactStore } from "../../builder/host/artifact-store.ts";
import { createGarbage, type GarbageTools, readGarbageSettings } from "./collect-garbage.ts";
import { createDiskGate } from "./disk-gate.ts";
import { createRoom } from "./make-room.ts";
import { measureFolder } from "./measure-folder.ts";

const LONG_AGO = new Date("2025-01-01");

async function setUp(t: ExecutionContext, env: Record<string, string> = {}) {
  const { ledger, now, wait } = setUpLedger(t);
  const dataFolder = await mkdtemp(join(tmpdir(), "garbage-"));
  t.teardown(() => rm(dataFolder, { recursive: true }));
  const store = createArtifactStore(join(dataFolder, "artifacts"));
  const running: string[] = [];
  const tools = {
    dataFolder,
    ledger,
    runningImages: async () => running,
    artifacts: store,
    settings: readGarbageSettings({ keep_unused_artifacts: "0s", keep_releases: "2", ...env }),
    log: createLog(() => {}),
    now,
  };
  const garbage = createGarbage(tools);
  let made = 0;

  return {
    ledger,
    now,
    wait,
    tools,
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
    /** A push that makes `digest` serve as alice-cart, or tries to. */
    serve(digest: string, number: number, state: ReleaseState = "serving"): void {
      const release = { id: `release-${number}`, digest };
      goLive(ledger, { sha: shaOf(number), release, state });
      ledger.forgetArtifact(alice.id, "v1:cart");
    },
    keys: () => ledger.listArtifacts().map(({ key }) => key),
    folders: async () => (await readdir(join(dataFolder, "artifacts"))).sort(),
    async write(path: string, bytes = 10_000): Promise<void> {
      await mkdir(dirname(join(dataFolder, path)), { recursive: true });
      await writeFile(join(dataFolder, path), Buffer.alloc(bytes, "x"));
    },
    isThere: (path: string) =>
      access(join(dataFolder, path)).then(
        () => true,
        () => false,
      ),
    /** A build that failed, known to the ledger. */
    failed(number: number): Build {
      const build = buildOf(ledger.acceptPush(push({ sha: shaOf(number) })));
      ledger.endBuild(claim(ledger, build), "failed", "", []);
      return build;
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

test("releases that failed, and the same commit again, take nothing from what can be gone back to", async (t) => {
  const { ledger, garbage, build, serve, keys, wait } = await setUp(t);
  for (const number of [1, 2, 3]) {
    serve(await build(`v1:${number}`), number);
    wait(1);
  }
  serve(await build("v1:bad"), 4, "failed");
  const target = ledger.listReleases("alice-cart", 10).find(({ id }) => id === "release-3");
  if (target === undefined) throw new Error("release-3 is gone");
  const { id } = ledger.declareRollback(target);
  ledger.markRelease(id, "alice-cart", "serving");

  await garbage.collectArtifacts();

  t.deepEqual(keys(), ["v1:2", "v1:3"]);
});

test("the artefacts of a function that is removed go, those of every release", async (t) => {
  const { ledger, garbage, build, serve, keys, folders, wait } = await setUp(t);
  for (const number of [1, 2]) {
    serve(await build(`v1:${number}`), number);
    wait(1);
  }
  await garbage.collectArtifacts();
  const before = keys();

  ledger.removeFunction("alice-cart");
  await garbage.collectArtifacts();

  t.deepEqual(before, ["v1:1", "v1:2"]);
  t.deepEqual(keys(), []);
  t.deepEqual(await folders(), []);
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
  const { ledger, garbage, build, serve, failed, write, age, dataFolder } = await setUp(t, {
    cache_ceiling_mib: "0",
  });
  const old = failed(9);
  serve(await build("v1:1"), 1);
  const [live] = ledger.listBuilds({ limit: 1 });
  const logs = "objects/v1/forge:1/forge:10";
  const paths = {
    mirror: "git/mirrors/forge/1.git",
    fresh: "git/mirrors/forge/2.git",
    cache: "builder/cache/abc",
    oldLog: `${logs}/${old.id}`,
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

test("logs of builds that the ledger has forgotten go, and what a killed sweep had begun to remove", async (t) => {
  const { garbage, failed, write, isThere } = await setUp(t);
  const known = `objects/v1/${alice.id}/forge:10/${failed(1).id}/cart.log`;
  const gone = [
    `objects/v1/${alice.id}/forge:10/forgotten/cart.log`,
    `objects/v1/${alice.id}/forge:10/half.removed/cart.log`,
    "builder/cache/half.removed/x",
  ];
  for (const path of [known, ...gone]) await write(path);

  await garbage.collectCaches();

  t.true(await isThere(known));
  t.deepEqual(await Promise.all(gone.map(isThere)), [false, false, false]);
});

test("an owner's logs beyond their limit go oldest first; what functions print now, and other owners' logs, stay", async (t) => {
  const { garbage, build, serve, failed, write, age, isThere } = await setUp(t, {
    owner_logs_mib: "1",
  });
  serve(await build("v1:1"), 1);
  const of = (owner: string, id: string) => `objects/v1/${owner}/forge:10/${id}`;
  const paths = {
    oldest: of(alice.id, failed(2).id),
    newer: of(alice.id, failed(3).id),
    others: of("forge:2", failed(4).id),
  };
  const half = 512 * 1_024;
  for (const [index, path] of Object.values(paths).entries()) {
    await write(`${path}/cart.log`, half);
    await age(path, new Date(LONG_AGO.getTime() + index * 60_000));
  }
  await write("engine/logs/alice-cart/older.ndjson", half);
  await write("engine/logs/alice-cart/newer.ndjson", half);
  await age("engine/logs/alice-cart", new Date(LONG_AGO.getTime() + 600_000));

  await garbage.collectCaches();

  const left = await Promise.all(Object.values(paths).map(isThere));
  t.deepEqual(left, [false, false, true]);
  t.true(await isThere("engine/logs/alice-cart/older.ndjson"));
  t.true(await isThere("engine/logs/alice-cart/newer.ndjson"));
});

/** Room on a disk where the data folder may take `ceilingBytes`. */
function roomOf(tools: GarbageTools, ceilingBytes: number, packed: () => void = () => {}) {
  const gate = createDiskGate({ ceilingBytes, reserveBytes: 0 });
  const packRepositories = async () => packed();
  return { gate, room: createRoom({ ...tools, gate, packRepositories }) };
}

test("under the ceiling nothing is dropped", async (t) => {
  const { tools, write, age, isThere } = await setUp(t);
  await write("git/mirrors/forge/1.git/HEAD");
  await age("git/mirrors/forge/1.git", LONG_AGO);
  const { room, gate } = roomOf(tools, 100_000_000);

  await room.makeRoom();

  t.true(await isThere("git/mirrors/forge/1.git"));
  t.is(gate.refusal(), undefined);
});

test("above the ceiling caches go before the artefacts of earlier releases, and those oldest first", async (t) => {
  const { tools, build, serve, write, age, isThere, keys, wait } = await setUp(t);
  for (const number of [1, 2, 3]) {
    serve(await build(`v1:${number}`), number);
    wait(1);
  }
  wait(2 * 3_600_000);
  await write("git/mirrors/forge/1.git/HEAD", 1_000_000);
  await age("git/mirrors/forge/1.git", LONG_AGO);
  const used = (await measureFolder(tools.dataFolder)).bytes;

  await roomOf(tools, used - 1_000).room.makeRoom();
  t.false(await isThere("git/mirrors/forge/1.git/HEAD"));
  t.deepEqual(keys(), ["v1:1", "v1:2", "v1:3"]);
  const without = (await measureFolder(tools.dataFolder)).bytes;
  await roomOf(tools, without - 1).room.makeRoom();

  t.deepEqual(keys(), ["v1:2", "v1:3"]);
});

test("what serves, the ledger and repositories stay, and then nothing more is taken in", async (t) => {
  const { tools, build, serve, write, age, isThere, keys, wait, folders } = await setUp(t);
  const digest = await build("v1:1");
  serve(digest, 1);
  wait(2 * 3_600_000);
  await write("git/forge/1.git/HEAD");
  await age("git/forge/1.git", LONG_AGO);
  let packed = 0;
  const { room, gate } = roomOf(tools, 1, () => {
    packed += 1;
  });

  await room.makeRoom();

  t.deepEqual(keys(), ["v1:1"]);
  t.deepEqual(await folders(), [hexOf(digest)]);
  t.true(await isThere("git/forge/1.git/HEAD"));
  t.is(packed, 1);
  t.regex(
    gate.refusal() ?? "",
    /data takes [\d.]+ KiB, more than the 1 bytes of disk_ceiling_mib;/,
  );
});

test("a disk that stays full is looked at again after a minute, and packed once an interval", async (t) => {
  const { tools, wait } = await setUp(t);
  let packed = 0;
  const { room } = roomOf(tools, 1, () => {
    packed += 1;
  });
  await room.makeRoom();

  await room.makeRoomIfShort();
  wait(60_000);
  await room.makeRoomIfShort();
  t.is(packed, 1);
  wait(3_600_000);
  await room.makeRoomIfShort();

  t.is(packed, 2);
});
