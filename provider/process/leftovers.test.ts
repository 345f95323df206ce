import test from "ava";
import { parseStat, selectLeftovers } from "./leftovers.ts";

const remembered = { boot: "b1", pid: 10, startTime: 100 };

for (const [title, running, boot, expected] of [
  ["a replica that still runs", [{ pid: 10, session: 10, startTime: 100 }], "b1", [10]],
  ["its number in another process", [{ pid: 10, session: 10, startTime: 900 }], "b1", []],
  [
    "the same number and time of another boot",
    [{ pid: 10, session: 10, startTime: 100 }],
    "b2",
    [],
  ],
  ["a child that outlived it", [{ pid: 11, session: 10, startTime: 120 }], "b1", [11]],
  ["an older process of that session number", [{ pid: 11, session: 10, startTime: 50 }], "b1", []],
  [
    "a child of whoever has its number now",
    [
      { pid: 10, session: 10, startTime: 900 },
      { pid: 11, session: 10, startTime: 910 },
    ],
    "b1",
    [],
  ],
  ["a stranger", [{ pid: 12, session: 12, startTime: 120 }], "b1", []],
] as const) {
  test(`${title}: killed are ${JSON.stringify(expected)}`, (t) => {
    t.deepEqual(selectLeftovers([remembered], running, boot), [...expected]);
  });
}

test("a process's name may hold spaces and parentheses", (t) => {
  const text = `42 (a) b (c)) S 1 42 7 ${"0 ".repeat(15)}4711 0 0`;

  t.deepEqual(parseStat(text), { pid: 42, session: 7, startTime: 4711 });
});

test("a process that has ended and waits to be noticed is none", (t) => {
  t.is(parseStat(`42 (node) Z 1 42 42 ${"0 ".repeat(15)}4711 0 0`), undefined);
});
