import test from "ava";
import { labels } from "#sdk/labels.ts";
import {
  decideFirstReplicas,
  decideReplicas,
  decideRestartDelay,
  decideScale,
  readScaleLimits,
} from "./decide-replicas.ts";

const CEILING = 20;

for (const [min, max, expected] of [
  [undefined, undefined, { min: 1, max: 20 }],
  ["2", "5", { min: 2, max: 5 }],
  ["0", undefined, { min: 0, max: 20 }],
  ["2", "1000000", { min: 2, max: 20 }],
] as const) {
  test(`scale labels min ${min} and max ${max} mean ${JSON.stringify(expected)}`, (t) => {
    t.deepEqual(readScaleLimits(labelled(min, max), CEILING), expected);
  });
}

for (const [min, max] of [
  ["-1", undefined],
  ["1.5", undefined],
  ["many", undefined],
  ["21", undefined],
  ["1000000", "1000000"],
  ["3", "2"],
  [undefined, "NaN"],
  [undefined, "0"],
] as const) {
  test(`scale labels min ${min} and max ${max} are refused`, (t) => {
    t.throws(() => readScaleLimits(labelled(min, max), CEILING), {
      message: /com\.openfaas\.scale/,
    });
  });
}

for (const [wanted, expected] of [
  [0, 0],
  [1, 2],
  [3, 3],
  [9, 5],
  [1_000_000, 5],
] as const) {
  test(`scaling to ${wanted} between 2 and 5 gives ${expected}`, (t) => {
    t.is(decideScale(wanted, { min: 2, max: 5 }), expected);
  });
}

for (const [now, min, expected] of [
  [undefined, 1, 1],
  [undefined, 0, 1],
  [undefined, 3, 3],
  [4, 1, 4],
  [0, 1, 1],
  [9, 1, 5],
] as const) {
  test(`a new version over ${now} replicas with minimum ${min} starts with ${expected}`, (t) => {
    t.is(decideFirstReplicas(now, { min, max: 5 }), expected);
  });
}

test("missing replicas are started and none is stopped", (t) => {
  t.deepEqual(decideReplicas(3, [{ id: "a", healthy: true }]), { start: 2, stop: [] });
});

test("of too many replicas the unhealthy go first, then the youngest", (t) => {
  const running = [
    { id: "oldest", healthy: true },
    { id: "sick", healthy: false },
    { id: "older", healthy: true },
    { id: "youngest", healthy: true },
  ];

  t.deepEqual(decideReplicas(2, running), { start: 0, stop: ["sick", "youngest"] });
  t.deepEqual(decideReplicas(0, running).stop.length, 4);
});

for (const [failures, expected] of [
  [0, 0],
  [1, 100],
  [2, 200],
  [5, 1_600],
  [10, 30_000],
  [1_000, 30_000],
] as const) {
  test(`after ${failures} deaths in a row the next start waits ${expected} ms`, (t) => {
    t.is(decideRestartDelay(failures, 100, 30_000), expected);
  });
}

function labelled(min: string | undefined, max: string | undefined) {
  return {
    service: "fn",
    image: "x",
    labels: {
      ...(min === undefined ? {} : { [labels.scaleMin]: min }),
      ...(max === undefined ? {} : { [labels.scaleMax]: max }),
    },
  };
}
