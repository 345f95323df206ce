import test from "ava";
import { decideSwitchBack, describeCrashLoop, isCrashLoop } from "./decide-switch-back.ts";

const deployment = { service: "fn", image: "x" };
const crashing = { release: "r2", fence: 5, deployment };

for (const [title, count, sinceMs, expected] of [
  ["three deaths right after it was published", 3, 1_100, true],
  ["two deaths", 2, 1_100, false],
  ["three deaths that began after the watch", 3, 11_001, false],
  ["three deaths that began before it was published", 3, 900, true],
] as const) {
  test(`${title}: ${expected ? "a crash loop" : "no crash loop"}`, (t) => {
    const limits = { crashLimit: 3, watchMs: 10_000 };

    t.is(isCrashLoop({ count, since: sinceMs }, 1_000, limits), expected);
  });
}

test("what served before comes back above every fence that was given, though it once failed", (t) => {
  const previous = { release: "r1", fence: 2, deployment, failed: "was slow once" };
  const record = { v: 1, name: "fn", createdAt: "", replicas: 1, fence: 7, previous } as const;

  t.deepEqual(
    decideSwitchBack(record, crashing, describeCrashLoop("replica fn-1 exited with code 9")),
    {
      release: "r1",
      fence: 8,
      deployment,
      switchedBack: {
        from: { release: "r2", fence: 5 },
        reason: "crash loop: replica fn-1 exited with code 9",
      },
    },
  );
});

test("a function's first version gives way to nothing", (t) => {
  const record = { v: 1, name: "fn", createdAt: "", replicas: 1, fence: 7 } as const;

  t.is(decideSwitchBack(record, crashing, describeCrashLoop()), undefined);
});
