import { DatabaseSync } from "node:sqlite";
import test from "ava";
import { createFaultPoint } from "./fault-point.ts";

function setUp(text: string | undefined) {
  const done: string[] = [];
  const pass = createFaultPoint(text, {
    die: () => done.push("died"),
    tell: (write) => done.push(`no room for ${write}`),
  });
  return { pass, done };
}

test("without OFC_FAULT there is no fault point", (t) => {
  t.is(setUp(undefined).pass, undefined);
  t.is(setUp("").pass, undefined);
});

test("the process ends when the named write is passed for the nth time, once", (t) => {
  const { pass, done } = setUp("endBuild:after:2");

  for (const point of ["endBuild:after", "endBuild:before", "claimBuild:after"]) pass?.(point);
  const before = done.length;
  pass?.("endBuild:after");
  pass?.("endBuild:after");

  t.is(before, 0);
  t.deepEqual(done, ["died"]);
});

test("the first n commits of a write fail as node:sqlite's do without room, and later ones do not", (t) => {
  const { pass, done } = setUp("endBuild:full:2");

  const failures = [1, 2].map(() => t.throws(() => pass?.("endBuild:before")));
  for (const point of ["endBuild:before", "endBuild:after", "claimBuild:before"]) pass?.(point);

  const expected = { ...fillUp() };
  t.deepEqual(
    failures.map((error) => ({ ...error })),
    [expected, expected],
  );
  t.deepEqual(done, ["no room for endBuild", "no room for endBuild"]);
});

for (const text of ["endBuild", "endBuild:during", "endBuild:after:0", "endBuild:full:x"]) {
  test(`OFC_FAULT ${JSON.stringify(text)} is refused by name`, (t) => {
    t.throws(() => setUp(text), { message: /^OFC_FAULT is .*expected a write/ });
  });
}

/** What SQLite says of a database that may not grow. */
function fillUp(): Error | undefined {
  const file = new DatabaseSync(":memory:");
  file.exec("CREATE TABLE a (x); PRAGMA max_page_count = 2");
  try {
    file.exec("INSERT INTO a VALUES (randomblob(10000))");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : undefined;
  } finally {
    file.close();
  }
}
