import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import test from "ava";
import { makeDatabase } from "./make-database.ts";

test("a database is made once, is copied where there is a blank one, and keeps what it holds", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "queue-database-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const [blank, folder] = [join(home, "blank"), join(home, "queue", "postgres")];
  // As a process leaves them that was killed while it made one.
  await mkdir(join(home, "blank.part", "base"), { recursive: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(home, "blank.part", "PG_VERSION"), "half");

  await makeDatabase(blank);
  await makeDatabase(folder, blank);
  await use(folder, "CREATE TABLE kept AS SELECT 7 AS number");
  await makeDatabase(folder, blank);

  t.deepEqual(await use(folder, "SELECT number FROM kept"), [{ number: 7 }]);
  t.deepEqual(await use(blank, "SELECT to_regclass('kept') AS found"), [{ found: null }]);
  // A copy's first start makes nothing.
  t.deepEqual(await use(blank, "SELECT to_regclass('bullmq.job') AS found"), [
    { found: "bullmq.job" },
  ]);
});

async function use(dataDir: string, sql: string): Promise<unknown[]> {
  const database = await PGlite.create({ dataDir });
  try {
    return (await database.query(sql)).rows;
  } finally {
    await database.close();
  }
}
