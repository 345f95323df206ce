import test from "ava";
import { createLineSplitter } from "./split-lines.ts";

for (const [title, chunks, expected] of [
  ["lines in one chunk", ["a\nb\n"], ["a", "b"]],
  ["a line over two chunks", ["he", "llo\n"], ["hello"]],
  ["a last line without an end", ["a\nb"], ["a", "b"]],
  ["empty lines", ["\n\na\n"], ["", "", "a"]],
  ["Windows line ends", ["a\r\nb\r\n"], ["a", "b"]],
  ["a line of exactly the limit", ["12345678\n"], ["12345678"]],
  ["a line over the limit", ["123456789\n"], ["12345678", "9"]],
  ["a line without end over many chunks", ["123456", "789012", "345"], ["12345678", "9012345"]],
  ["nothing", [], []],
] as const) {
  test(`${title} come out as ${JSON.stringify(expected)}`, (t) => {
    const splitter = createLineSplitter(8);

    const lines = [
      ...chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk))),
      ...splitter.end(),
    ];

    t.deepEqual(lines, [...expected]);
  });
}

test("a character cut in two by a chunk stays whole", (t) => {
  const splitter = createLineSplitter();
  const bytes = Buffer.from("é\n");

  const lines = [...splitter.push(bytes.subarray(0, 1)), ...splitter.push(bytes.subarray(1))];

  t.deepEqual(lines, ["é"]);
});
