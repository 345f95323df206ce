import test from "ava";
import { describe } from "#sdk/errors.ts";
import { createReporter } from "./report-parts.ts";

test("a part that started is told with what was chosen and how long it took", async (t) => {
  const said: string[] = [];
  const part = createReporter((text) => said.push(text));

  const queue = await part(
    "queue",
    async () => ({ kind: "redis" }),
    ({ kind }) => `on ${kind}`,
  );

  t.deepEqual(queue, { kind: "redis" });
  t.is(said.length, 1);
  t.regex(said[0] ?? "", /^queue {5}on redis {2}\(\d+ ms\)$/);
});

test("a part that did not start is named before its reason, and nothing is said of it", async (t) => {
  const said: string[] = [];
  const part = createReporter((text) => said.push(text));

  const error = await t.throwsAsync(
    part(
      "gateway",
      async () => {
        throw new Error("Port 8080 is in use");
      },
      () => "never",
    ),
  );

  t.is(describe(error), "gateway: Port 8080 is in use");
  t.deepEqual(said, []);
});
