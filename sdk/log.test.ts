import test from "ava";
import { createLog } from "./log.ts";

function setUp() {
  const lines: string[] = [];
  return { lines, log: createLog((line) => lines.push(line)) };
}

test("a line is one JSON object with level, time and event first", (t) => {
  const { log, lines } = setUp();

  log.warn("build-queued", { repository: "alice/shop", sha: undefined, text: 'a\n"b"\u001b[31m' });

  t.is(lines.length, 1);
  t.regex(
    lines[0] ?? "",
    /^\{"level":"warn","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",.*\}\n$/,
  );
  const { time: _, ...facts } = JSON.parse(lines[0] ?? "");
  t.deepEqual(facts, {
    level: "warn",
    event: "build-queued",
    repository: "alice/shop",
    text: 'a\n"b"\u001b[31m',
  });
  // A line end or an escape inside a fact stays escaped, so that one event is one line of plain text.
  t.is(lines[0]?.split("\n").length, 2);
  t.false(lines[0]?.includes("\u001b"));
});

test("with binds facts to every line of a new log and leaves the old one alone", (t) => {
  const { log, lines } = setUp();
  const bound = log.with({ build: "b1", owner: "alice" });

  bound.with({ function: "cart" }).info("built", { owner: "bob" });
  bound.error("failed");
  log.info("idle");

  const [built, failed, idle] = lines.map((line) => JSON.parse(line));
  t.like(built, { build: "b1", owner: "bob", function: "cart", event: "built" });
  t.like(failed, { level: "error", build: "b1", owner: "alice" });
  t.deepEqual(Object.keys(idle), ["level", "time", "event"]);
});

test("a fact that is bound and given appears once, as given", (t) => {
  const { log, lines } = setUp();

  log.with({ owner: "alice" }).info("seen", { owner: "bob" });

  t.is(lines[0]?.match(/"owner"/g)?.length, 1);
  t.true(lines[0]?.includes('"owner":"bob"'));
});

test("facts cannot take the place of level, time and event", (t) => {
  const { log, lines } = setUp();

  log.info("seen", { event: "forged", level: "error", time: "yesterday" });

  for (const name of ["event", "level", "time"])
    t.is(lines[0]?.match(new RegExp(`"${name}":`, "g"))?.length, 1, name);
  t.like(JSON.parse(lines[0] ?? ""), {
    level: "info",
    event: "seen",
    event_: "forged",
    level_: "error",
    time_: "yesterday",
  });
});
