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

test("a queue that refuses is logged and does not reach the caller", async (t) => {
  const loopback = createLoopback();
  loopback.queueStatus = 503;

  t.notThrows(() => createAudit("github-push", loopback.gateway)("queued", about, loopback.log));

  const line = await until(() => loopback.lines[0]);
  t.like(line, { level: "warn", event: "audit-not-queued", message: "queued", owner: "alice" });
});
