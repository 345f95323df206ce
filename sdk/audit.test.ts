import test from "ava";
import { createLoopback } from "../test/helpers/loopback-gateway.ts";
import { until } from "../test/helpers/until.ts";
import { createAudit } from "./audit.ts";

const about = { owner: "alice", repository: "shop" };

test("who did what is queued for audit-event", async (t) => {
  const loopback = createLoopback();

  createAudit("github-push", loopback.gateway)("queued", about, loopback.log);

  const job = await until(() => loopback.jobs[0]);
  t.is(job.name, "audit-event");
  t.deepEqual(job.body, {
    v: 1,
    Source: "github-push",
    Message: "queued",
    Owner: "alice",
    Repo: "shop",
  });
});

test("what follows at once is told together, in order", async (t) => {
  const loopback = createLoopback();
  const audit = createAudit("github-push", loopback.gateway);

  audit("1", about, loopback.log);
  await until(() => loopback.jobs.length === 1);
  for (const message of ["2", "3"]) audit(message, about, loopback.log);
  await until(() => loopback.jobs.length === 2);
  audit("4", about, loopback.log);
  await until(() => loopback.jobs.length === 3);

  const told = loopback.jobs.map(({ body }) =>
    [body].flat().map((event) => (event as { Message: string }).Message),
  );
  t.deepEqual(told, [["1"], ["2", "3"], ["4"]]);
});

test("a queue that refuses is logged and does not reach the caller", async (t) => {
  const loopback = createLoopback();
  loopback.queueStatus = 503;

  t.notThrows(() => createAudit("github-push", loopback.gateway)("queued", about, loopback.log));

  const line = await until(() => loopback.lines[0]);
  t.like(line, { level: "warn", event: "audit-not-queued", message: "queued", owner: "alice" });
});
