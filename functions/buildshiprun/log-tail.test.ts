import test from "ava";
import { createLogTail } from "./log-tail.ts";

test("a log within the limit is kept whole, line by line", (t) => {
  const tail = createLogTail(100);

  tail.add(["npm ci", ""]);
  tail.add(["done"]);

  t.is(tail.text(), "npm ci\n\ndone");
});

test("of a longer log the last whole lines are kept", (t) => {
  const tail = createLogTail(10);

  for (let line = 1; line <= 5; line++) tail.add([`line${line}`]);

  t.is(tail.text(), "line5");
});

test("of one line that is longer its end is kept, never half a character", (t) => {
  const tail = createLogTail(5);

  tail.add(["abc🚀🚀🚀"]);

  t.is(tail.text(), "\uFFFD🚀🚀");
});

test("what is kept fits into a call between functions, however it is escaped", (t) => {
  const tail = createLogTail();

  tail.add(Array.from({ length: 50_000 }, () => "\u001b".repeat(40)));

  t.true(Buffer.byteLength(JSON.stringify(tail.text())) < 4 * 1024 * 1024 - 10_000);
});
