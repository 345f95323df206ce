import test from "ava";
import type { BuildLine } from "#sdk/messages.ts";
import { createLineSink } from "./build-lines.ts";

const LIMITS = { heartbeatMs: 60_000, maxLogBytes: 1_000_000 };

function setUp(limits = LIMITS) {
  const lines: BuildLine[] = [];
  const sink = createLineSink((line) => lines.push(line), limits);
  return { lines, sink };
}

test("a long text is cut into lines below 64 KiB even where every character is escaped", (t) => {
  const { lines, sink } = setUp();
  const text = '"'.repeat(50_000);

  sink.log(text);

  t.true(lines.every((line) => JSON.stringify(line).length < 64 * 1024));
  t.is(lines.flatMap(({ log }) => log ?? []).join(""), text);
});

test("what could steer a terminal is taken out, of the last line's reason too, and HTML stays text", (t) => {
  const { lines, sink } = setUp();

  sink.log(
    "\u001b[2J\u001b]0;title\u0007\u001b]8;;http://evil\u001b\\red\u009b31m\tand <b>bold</b>\u0000",
  );
  sink.end({ status: "failed", error: 'Step "\u001b[31mRUN" failed' });

  t.deepEqual(lines, [
    { log: ["red31m\tand <b>bold</b>"], status: "in_progress" },
    { status: "failed", error: 'Step "RUN" failed' },
  ]);
});

test("a log over its limit is cut once and says so", (t) => {
  const { lines, sink } = setUp({ ...LIMITS, maxLogBytes: 10 });

  for (const text of ["12345", "123456789", "x", "y"]) sink.log(text);

  t.deepEqual(
    lines.flatMap(({ log }) => log ?? []),
    ["12345", "… the log is cut at 10 bytes"],
  );
});

test("nothing is sent after the last line", (t) => {
  const { lines, sink } = setUp();

  sink.end({ status: "success" });
  sink.log("late");
  sink.end({ status: "failed" });

  t.deepEqual(lines, [{ status: "success" }]);
});
