import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { createWalSync } from "./wal-sync.ts";

/** A log whose syncs end when the test says so. */
function setUp() {
  const syncs: PromiseWithResolvers<void>[] = [];
  const log = {
    datasync() {
      const sync = Promise.withResolvers<void>();
      syncs.push(sync);
      return sync.promise;
    },
    close: async () => {},
  };
  return { syncs, wal: createWalSync("", async () => log) };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("what was written is synced once for all who wait, and what came meanwhile once more", async (t) => {
  const { syncs, wal } = setUp();
  const ended: string[] = [];
  const wait = (name: string) => wal.synced().then(() => ended.push(name));

  wal.wrote();
  const first = [wait("a"), wait("b")];
  await turn();
  wal.wrote();
  const second = wait("c");
  await turn();

  t.is(syncs.length, 1);
  t.deepEqual(ended, []);
  syncs[0]?.resolve();
  await Promise.all(first);
  await turn();
  t.deepEqual(ended, ["a", "b"]);
  t.is(syncs.length, 2);
  syncs[1]?.resolve();
  await second;
  await wal.synced();
  t.is(syncs.length, 2, "nothing was written since");
});

test("after a sync that failed nothing is promised any more", async (t) => {
  const { syncs, wal } = setUp();

  wal.wrote();
  const failing = wal.synced();
  await turn();
  syncs[0]?.reject(new Error("EIO"));

  await t.throwsAsync(failing, { message: "EIO" });
  wal.wrote();
  await t.throwsAsync(wal.synced(), { message: "EIO" });
  t.is(syncs.length, 1);
  await wal.close();
});

test("the log that SQLite writes is found and synced", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wal-"));
  const path = join(folder, "some.db");
  const file = new DatabaseSync(path);
  const wal = createWalSync(path);
  t.teardown(() => {
    file.close();
    rmSync(folder, { recursive: true });
  });

  file.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE a (x)");
  wal.wrote();

  await t.notThrowsAsync(wal.synced());
  await wal.close();
});
