import test from "ava";
import { decideSwitchBack } from "./decide-switch-back.ts";

const one = { release: "one", fence: 1 };
const back = { release: "one", fence: 3 };
const two = { id: "two", fence: 2 };
const switchedBack = {
  from: { release: "two", fence: 2 },
  reason: "crash loop: replica alice-cart-1f2e3d4c exited with code 7",
};

test("a release that gave way to another is the ledger's to hear, with the reason", (t) => {
  const decision = decideSwitchBack(
    { current: back, switchedBack },
    { serving: two, isKnown: true },
  );

  t.deepEqual(decision, {
    from: { release: "two", fence: 2 },
    to: back,
    because: "after a crash loop: replica alice-cart-1f2e3d4c exited with code 7",
  });
});

test("an engine that serves an older release than the ledger says is believed", (t) => {
  const decision = decideSwitchBack({ current: one }, { serving: two, isKnown: true });

  t.deepEqual(decision, {
    from: { release: "two", fence: 2 },
    to: one,
    because: "because the engine lost what came after it",
  });
});

for (const [what, current, facts] of [
  ["a switch back that is recorded", back, { serving: { id: "one", fence: 3 }, isKnown: true }],
  ["a newer release, which its build records", back, { serving: two, isKnown: true }],
  [
    "what was deployed by hand",
    { release: "manual-1", fence: 1 },
    { serving: two, isKnown: false },
  ],
  ["a function the ledger does not have", one, { serving: undefined, isKnown: false }],
] as const) {
  test(`${what} changes nothing`, (t) => {
    t.is(decideSwitchBack({ current }, facts), undefined);
  });
}

test("a release that was declared again since it gave way is not taken for the one that did", (t) => {
  const serving = { id: "two", fence: 4 };

  const decision = decideSwitchBack(
    { current: { release: "one", fence: 5 }, switchedBack },
    { serving, isKnown: true },
  );

  t.is(decision, undefined);
});
