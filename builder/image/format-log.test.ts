import test from "ava";
import type { BuildEvent } from "../buildkit/build-event.ts";
import { createMask } from "../secrets/mask-secrets.ts";
import { createLogFormatter } from "./format-log.ts";

const step = "sha256:1";
const output = (text: string | Uint8Array): BuildEvent => ({
  kind: "output",
  step,
  stream: "stdout",
  bytes: Buffer.from(text),
});
const done: BuildEvent = { kind: "done", step, name: "[2/2] RUN ls", seconds: 1 };

function linesOf(...events: readonly BuildEvent[]): string[] {
  const lines: string[] = [];
  const tell = createLogFormatter((line) => lines.push(line));
  for (const event of events) tell(event);
  return lines;
}

test("steps are named as they begin, cached ones as cached, BuildKit's own not at all", (t) => {
  const lines = linesOf(
    { kind: "started", step: "a", name: "[internal] load metadata for docker.io/library/a" },
    { kind: "started", step: "b", name: "http://buildkit-session/0123" },
    { kind: "cached", step: "c", name: "[1/2] FROM a" },
    { kind: "started", step, name: "[2/2] RUN ls" },
    { kind: "warning", text: "old" },
  );

  t.deepEqual(lines, ["[1/2] FROM a (cached)", "[2/2] RUN ls", "warning: old"]);
});

test("lines come whole, however they were cut, and the last one without its end", (t) => {
  const bytes = Buffer.from("grün\r\nx");

  const lines = linesOf(
    output("a\nb"),
    output("c\n"),
    output(bytes.subarray(0, 3)),
    output(bytes.subarray(3)),
    done,
    done,
  );

  t.deepEqual(lines, ["a", "bc", "grün", "x"]);
});

test("of a progress bar its last state is told", (t) => {
  t.deepEqual(linesOf(output("1%\r50%\r100%\n")), ["100%"]);
});

test("a line without an end is told in pieces and not held", (t) => {
  const lines = linesOf(...Array.from({ length: 10 }, () => output("x".repeat(3_000))));

  t.deepEqual(
    lines.map((line) => line.length),
    [6_000, 6_000, 6_000, 6_000, 6_000],
  );
});

test("a secret is hidden wherever a line without an end is cut", (t) => {
  const secret = "correct horse battery staple";
  const mask = createMask(new Map([["a", Buffer.from(secret)]]));

  for (let before = 4_000; before < 4_300; before++) {
    const lines: string[] = [];
    const tell = createLogFormatter(
      (line) => lines.push(line),
      () => mask,
    );
    for (const text of ["x".repeat(before), secret.slice(0, 9), secret.slice(9), "y".repeat(9_000)])
      tell(output(text));
    tell(done);
    t.is(lines.join(""), `${"x".repeat(before)}***${"y".repeat(9_000)}`);
  }
});
