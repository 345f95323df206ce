import { readFileSync, statSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { openLedger } from "./ledger.ts";
import { migrate } from "./migrations.ts";
import { buildOf, push, setUp } from "./test-support/set-up.ts";

test("the file and what lies beside it are for its owner only", (t) => {
  const { ledger, path } = setUp(t);
  ledger.acceptPush(push());

  for (const file of [path, `${path}-wal`, `${path}-shm`])
    t.is((statSync(file).mode & 0o777).toString(8), "600", file);
});

test("two processes' worth of handles see each other's writes", (t) => {
  const { ledger, path, now } = setUp(t);
  const other = openLedger({ path, now });
  t.teardown(() => other.close());

  const build = buildOf(ledger.acceptPush(push()));

  t.deepEqual(other.findBuild(build.id), build);
  t.is(other.claimBuild(build.id, "a", 1000)?.build.id, build.id);
  t.is(ledger.claimBuild(build.id, "b", 1000), undefined);
});

test("a ledger of a newer version is refused with both versions named, and left as it is", (t) => {
  const { path } = setUp(t);
  const file = new DatabaseSync(path);
  t.teardown(() => file.close());
  file.exec("PRAGMA user_version = 99");

  t.throws(() => openLedger({ path }), {
    message: /version 99, and this program knows versions up to \d+;/,
  });
  t.is(file.prepare("PRAGMA user_version").get()?.user_version, 99);
});

test("a file that is no ledger is refused by name and left as it is", (t) => {
  const path = `${setUp(t).path}.txt`;
  writeFileSync(path, "dear diary, ".repeat(100));

  const error = t.throws(() => openLedger({ path }), { instanceOf: Error });

  t.true(error.message.includes(path));
  t.regex(String(error.cause), /not a database/);
  t.is(readFileSync(path, "utf8"), "dear diary, ".repeat(100));
});

test("an older file is brought forward step by step and keeps its rows", (t) => {
  const file = new DatabaseSync(":memory:");
  const steps = ["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y DEFAULT 2"];
  migrate(file, steps.slice(0, 1));
  file.exec("INSERT INTO a VALUES (1)");

  migrate(file, steps);
  migrate(file, steps);

  t.deepEqual({ ...file.prepare("SELECT * FROM a").get() }, { x: 1, y: 2 });
  t.is(file.prepare("PRAGMA user_version").get()?.user_version, 2);
});

test("a step that fails leaves the version before it, and is taken again", (t) => {
  const file = new DatabaseSync(":memory:");
  const broken = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)"];

  t.throws(() => migrate(file, broken), { message: /already exists/ });
  t.is(file.prepare("PRAGMA user_version").get()?.user_version, 1);

  migrate(file, ["", "CREATE TABLE b (x)"]);
  t.is(file.prepare("PRAGMA user_version").get()?.user_version, 2);
});

test("an audit entry is kept with its time", (t) => {
  const { ledger, path, now } = setUp(t);

  ledger.recordAudit([{ source: "git-tar", message: "built", owner: "alice", repository: "shop" }]);

  const file = new DatabaseSync(path);
  t.teardown(() => file.close());
  t.like(file.prepare("SELECT * FROM audit").get(), { at: now(), source: "git-tar" });
});
