import test from "ava";
import { createFaultPoint } from "./fault-point.ts";

test("without OFC_FAULT there is no fault point", (t) => {
  t.is(createFaultPoint(undefined), undefined);
  t.is(createFaultPoint(""), undefined);
});

test("the process ends when the named write is passed for the nth time, once", (t) => {
  const died: string[] = [];
  const pass = createFaultPoint("endBuild:after:2", () => died.push("now"));

  for (const point of ["endBuild:after", "endBuild:before", "claimBuild:after"]) pass?.(point);
  const before = died.length;
  pass?.("endBuild:after");
  pass?.("endBuild:after");

  t.is(before, 0);
  t.deepEqual(died, ["now"]);
});

for (const text of ["endBuild", "endBuild:during", "endBuild:after:0", "endBuild:after:x"]) {
  test(`OFC_FAULT ${JSON.stringify(text)} is refused by name`, (t) => {
    t.throws(() => createFaultPoint(text), { message: /^OFC_FAULT is .*expected a write/ });
  });
}
