import test from "ava";
import { formatDuration, parseDuration } from "./duration.ts";

for (const [text, ms] of [
  ["0", 0],
  ["30", 30_000],
  ["500ms", 500],
  ["15m", 900_000],
  ["1m5s", 65_000],
  ["1h0m0s", 3_600_000],
  ["1.5s", 1_500],
  ["2h45m30.5s", 9_930_500],
] as const) {
  test(`"${text}" is ${ms} ms`, (t) => {
    t.is(parseDuration(text), ms);
  });
}

test("the longest duration is Go's, 2^63 nanoseconds", (t) => {
  t.is(parseDuration("2562047h"), 2_562_047 * 3_600_000);
});

for (const text of ["2562048h", "9223372037", "9".repeat(400), `${"9".repeat(399)}h`]) {
  test(`${text.slice(-12)}, ${text.length} characters, is longer than any duration`, (t) => {
    t.is(parseDuration(text), undefined);
  });
}

for (const text of ["", "soon", "-5s", "5 s", "1d", "5S", ".5s", "s", "1m5", "1e3", "30\n"]) {
  test(`${JSON.stringify(text)} is no duration`, (t) => {
    t.is(parseDuration(text), undefined);
  });
}

for (const [ms, text] of [
  [0, "0 ms"],
  [850.4, "850 ms"],
  [999.7, "1.00 s"],
  [1_234, "1.23 s"],
  [59_990, "59.99 s"],
  [59_999, "1m 0s"],
  [61_000, "1m 1s"],
  [119_700, "2m 0s"],
  [3_600_000, "60m 0s"],
] as const) {
  test(`${ms} ms reads "${text}"`, (t) => {
    t.is(formatDuration(ms), text);
  });
}
