import test from "ava";
import fc from "fast-check";
import { refuseVariable } from "./refuse-variable.ts";

for (const name of ["A", "_a", "currency", "PYTHONUNBUFFERED", "NODE_ENV", "Http_Proxy"]) {
  test(`a function may have the variable ${name}`, (t) => {
    t.is(refuseVariable(name), undefined);
  });
}

for (const [name, why] of [
  ["", /not a variable's name/],
  ["A=B", /not a variable's name/],
  ["A\n", /not a variable's name/],
  ["A\0B", /not a variable's name/],
  ["a-b", /not a variable's name/],
  ["1a", /not a variable's name/],
  ["Ä", /not a variable's name/],
  ["A".repeat(256), /not a variable's name/],
  ["__proto__", /kept for the platform/],
  ["LD_PRELOAD", /decides what a program loads/],
  ["NODE_OPTIONS", /decides what a program loads/],
  ["PYTHONPATH", /decides what a program loads/],
] as const) {
  test(`no function has the variable ${JSON.stringify(name.slice(0, 20))}`, (t) => {
    t.regex(refuseVariable(name) ?? "", why);
  });
}

test("whatever is not refused is a name that every shell and system takes as it is", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      if (refuseVariable(name) === undefined) t.regex(name, /^[A-Za-z_]\w*$/);
    }),
  );
  t.pass();
});
