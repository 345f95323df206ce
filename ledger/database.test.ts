import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { createDatabase, openFile } from "./database.ts";
import { createWatchers } from "./watchers.ts";

const SYNC_AT_CHECKPOINTS = 1;
const SYNC_EVERY_COMMIT = 2;

function setUp(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "ledger-"));
  const file = openFile(join(folder, "ledger.db"));
  t.teardown(() => {
    file.close();
    rmSync(folder, { recursive: true });
  });
  file.exec("CREATE TABLE a (x)");
  const db = createDatabase(file, Date.now, createWatchers());
  return {
    db,
    rows: () => db.all("SELECT x FROM a").map(({ x }) => x),
    add: (x: number) => db.run("INSERT INTO a VALUES ($x)", { x }),
    synchronous: () => file.prepare("PRAGMA synchronous").get()?.synchronous,
    journal: () => file.prepare("PRAGMA journal_mode").get()?.journal_mode,
  };
}

test("a commit is synced by itself; a quick one waits for the next, also when it fails", (t) => {
  const { db, synchronous, journal } = setUp(t);

  t.is(journal(), "wal");
  t.is(db.transaction(synchronous), SYNC_EVERY_COMMIT);
  t.is(db.quickTransaction(synchronous), SYNC_AT_CHECKPOINTS);
  t.throws(() =>
    db.quickTransaction(() => {
      throw new Error("no");
    }),
  );
  t.is(db.transaction(synchronous), SYNC_EVERY_COMMIT);
  t.is(
    db.transaction(() => db.quickTransaction(synchronous)),
    SYNC_EVERY_COMMIT,
    "a promise is not weakened by what it contains",
  );
});

test("a transaction that throws leaves nothing, inner ones included, and the next one works", (t) => {
  const { db, rows, add } = setUp(t);

  const act = () =>
    db.transaction(() => {
      add(1);
      db.transaction(() => add(2));
      throw new Error("power cut");
    });

  t.throws(act, { message: "power cut" });
  t.deepEqual(rows(), []);
  db.transaction(() => add(3));
  t.deepEqual(rows(), [3]);
});
