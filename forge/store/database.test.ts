import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openDatabase } from "./database.ts";

async function setUp(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "forge-db-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "forge.db");
}

test("every transaction reaches the disk before it is answered", async (t) => {
  const { sql, close } = openDatabase(await setUp(t));
  t.teardown(close);

  t.like(sql.prepare("PRAGMA journal_mode").get(), { journal_mode: "wal" });
  t.like(sql.prepare("PRAGMA synchronous").get(), { synchronous: 2 });
});

test("a record of a newer version is refused with both versions", async (t) => {
  const path = await setUp(t);
  const first = openDatabase(path);
  first.sql.exec("PRAGMA user_version = 99");
  first.close();

  t.throws(() => openDatabase(path), { message: /has format 99, this version knows 1/ });
});

test("a transaction that throws leaves nothing", async (t) => {
  const { sql, transact, close } = openDatabase(await setUp(t));
  t.teardown(close);

  t.throws(
    () =>
      transact(() => {
        sql.exec("INSERT INTO users (login, created_at) VALUES ('alice', 1)");
        throw new Error("stop");
      }),
    { message: "stop" },
  );

  t.deepEqual(sql.prepare("SELECT * FROM users").all(), []);
});
