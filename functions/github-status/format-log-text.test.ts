import test from "ava";
import fc from "fast-check";
import { formatLogText } from "./format-log-text.ts";

test("a short log is fenced as it is, no log is no text", (t) => {
  t.is(formatLogText("built"), "\n```shell\nbuilt\n```\n");
  t.is(formatLogText(""), "");
});

test("a long log keeps its end within the limit and says what was cut", (t) => {
  const log = `${"a".repeat(100_000)}the end`;

  const text = formatLogText(log);

  t.is(text.length, 65_535);
  t.true(text.endsWith("the end\n```\n"));
  t.regex(text, /^The log has 100007 characters, more than the 65535 that fit/);
});

test("no log closes its own fence, and none is longer than the limit", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("`", "``", "```\n", "x", "😀", "\n"), { maxLength: 400 }),
      (parts) => {
        const text = formatLogText(parts.join(""), 300);
        if (text === "") return;
        const fence = /^(`{3,})shell$/m.exec(text)?.[1] ?? "";
        const closings = text.split("\n").filter((line) => line.startsWith(fence));
        t.true(text.length <= 300);
        t.is(closings.filter((line) => line === fence || line === `${fence}shell`).length, 2);
      },
    ),
  );
});
