import { PassThrough } from "node:stream";
import test from "ava";
import { createTerminal, formatAge } from "./terminal.ts";

/** A stream that is a terminal with colours, or a pipe. */
function setUp({ isTTY = false } = {}) {
  const stream = Object.assign(new PassThrough(), { isTTY, hasColors: () => isTTY });
  const said = () => String(stream.read() ?? "");
  return { terminal: createTerminal(stream as unknown as NodeJS.WriteStream), said };
}

test("columns are as wide as their longest cell, without space at the end of a line", (t) => {
  const { terminal, said } = setUp();

  terminal.table(
    ["FUNCTION", "STATE"],
    [
      ["alice-cart", "live"],
      ["a", ""],
    ],
    "None.",
  );

  t.is(said(), "FUNCTION    STATE\nalice-cart  live\na\n");
});

test("without rows the empty sentence is all there is", (t) => {
  const { terminal, said } = setUp();

  terminal.table(["FUNCTION"], [], "No functions yet.");

  t.is(said(), "No functions yet.\n");
});

test("colours are for a terminal, never for a pipe", (t) => {
  const pipe = setUp();
  const screen = setUp({ isTTY: true });

  for (const { terminal } of [pipe, screen]) {
    terminal.line(terminal.bold("b") + terminal.good("g") + terminal.bad("r") + terminal.dim("d"));
    terminal.table(["NAME"], [["x"]], "");
  }

  t.is(pipe.said(), "bgrd\nNAME\nx\n");
  t.true(screen.said().includes("\u001b[1mNAME\u001b[22m\nx\n"));
});

test("a cell is one line and cannot move the cursor, however strange its text", (t) => {
  const { terminal, said } = setUp();

  terminal.table(
    ["REASON", "AGE"],
    [["exit 1\n  \u001b[2J\u001b]0;owned\u0007boom\r\n", "1s"]],
    "None.",
  );

  t.is(said(), "REASON       AGE\nexit 1 boom  1s\n");
});

test("JSON is indented and whole", (t) => {
  const { terminal, said } = setUp();

  terminal.json({ builds: [] });

  t.is(said(), '{\n  "builds": []\n}\n');
});

for (const [seconds, text] of [
  [-5, "0s ago"],
  [0, "0s ago"],
  [59.4, "59s ago"],
  [60, "1m ago"],
  [3_599, "59m ago"],
  [3_600, "1h ago"],
  [86_399, "23h ago"],
  [86_400, "1d ago"],
  [864_000, "10d ago"],
] as const) {
  test(`${seconds} seconds are "${text}"`, (t) => {
    t.is(formatAge(1_000_000_000 - seconds * 1_000, 1_000_000_000), text);
  });
}
