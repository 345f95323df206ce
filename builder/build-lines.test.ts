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
  const text = "\u0001".repeat(50_000);

  sink.log(text);

  t.true(lines.every((line) => JSON.stringify(line).length < 64 * 1024));
  t.is(lines.flatMap(({ log }) => log ?? []).join(""), text);
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
