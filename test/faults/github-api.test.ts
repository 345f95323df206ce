import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import type { Github } from "./github.ts";
import { setUp } from "./set-up.ts";

const FAULTS: readonly (readonly [string, NonNullable<Github["fault"]>])[] = [
  ["403 with a spent rate limit", { status: 403, headers: { "x-ratelimit-remaining": "0" } }],
  ["429 with Retry-After", { status: 429, headers: { "retry-after": "1" } }],
  ["500", { status: 500 }],
  ["503 with Retry-After", { status: 503, headers: { "retry-after": "1" } }],
  ["nothing at all", "hang"],
];

for (const [words, fault] of FAULTS) {
  test.serial(
    `GitHub's API answers ${words} for a while: the commit ends live and shows it afterwards`,
    async (t) => {
      const { stage, github, forge, judge } = await setUp(t, { catch_up_interval: "2s" });
      stage.github.fault = fault;
      await github.push("good");
      const meanwhile = await forge.push("good");
      await sleep(12_000);

      stage.github.fault = undefined;

      t.deepEqual(await judge(), []);
      t.true(meanwhile.accepted);
    },
  );
}
