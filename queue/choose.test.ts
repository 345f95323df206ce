import test from "ava";
import type { BackendKind } from "./backends/backend.ts";
import { decideBackend, type Findings } from "./backends/choose.ts";

const nothing: Findings = {
  redisUrl: undefined,
  program: undefined,
  redisData: false,
  postgresData: false,
};
const program = "/usr/bin/redis-server";

const cases: readonly (readonly [string, Partial<Findings>, BackendKind])[] = [
  ["REDIS_URL wins", { redisUrl: "redis://r:6379", program, postgresData: true }, "redis"],
  ["an installed redis-server is next", { program }, "private-redis"],
  ["with neither it is the embedded database", {}, "embedded"],
  ["calls in the embedded database keep it", { program, postgresData: true }, "embedded"],
  ["calls in a private Redis keep it", { program, redisData: true }, "private-redis"],
  ["newer calls in Redis win", { program, redisData: true, postgresData: true }, "private-redis"],
];
for (const [title, findings, kind] of cases)
  test(title, (t) => {
    const choice = decideBackend({ ...nothing, ...findings });

    t.is(choice.kind, kind);
    t.true(choice.why.length > 0);
  });

test("calls in a Redis whose program is gone stop the start, with what to do", (t) => {
  t.throws(() => decideBackend({ ...nothing, redisData: true }), {
    message: /redis-server is no longer on the PATH; install it, or move that folder away/,
  });
});
