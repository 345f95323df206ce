import test, { type ExecutionContext } from "ava";
import {
  buildOf,
  claim,
  setUp as openLedgerFor,
  push,
  repositoryOf,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { readConfig } from "../../functions/github-status/config.ts";
import { createGithubStatus } from "../../functions/github-status/handler.ts";
import { startGithubServer } from "../../test/helpers/github-server.ts";
import { createLoopback } from "../../test/helpers/loopback-gateway.ts";
import { until } from "../../test/helpers/until.ts";
import { startSweeper } from "./sweeper.ts";

const owner = { id: "github:1", scm: "github", login: "alice" } as const;
const repository = { ...repositoryOf(owner), installationId: 7 };

async function setUp(t: ExecutionContext) {
  const { ledger, wait, now } = openLedgerFor(t);
  const github = await startGithubServer(t);
  const loopback = createLoopback();
  const { gateway, log, jobs } = loopback;
  const apps = createGithubApps({ sources: [{ scm: "github", baseUrl: github.url, ...github }] });
  const status = createGithubStatus({ config: readConfig({}), ledger, apps, gateway, now });
  return {
    ledger,
    wait,
    github,
    loopback,
    accept: (branch: string) =>
      buildOf(ledger.acceptPush(push({ owner, repository, branch, sha: shaOf(1) }))),
    queued: () => jobs.map(({ body }) => (body as { buildId: string }).buildId),
    start(intervalMs?: number) {
      const tools = { ledger, gateway, status, log };
      const sweeper = startSweeper(intervalMs === undefined ? tools : { ...tools, intervalMs });
      t.teardown(() => sweeper.stop());
      return sweeper;
    },
  };
}

test("at once, every build without an end or a lease is queued in its owner's name", async (t) => {
  const { ledger, loopback, accept, start, queued } = await setUp(t);
  const waiting = accept("main");
  claim(ledger, accept("leased"));
  const ended = accept("ended");
  ledger.endBuild(claim(ledger, ended), "failed", "no stack.yml", []);

  start();

  await until(() => loopback.jobs.length > 0);
  t.deepEqual(queued(), [waiting.id]);
  t.deepEqual(loopback.jobs[0], {
    name: "git-tar",
    body: { v: 1, buildId: waiting.id, step: "run" },
    ownerId: "github:1",
  });
});

test("a build whose worker died is queued once its lease has run out", async (t) => {
  const { ledger, wait, accept, start, queued } = await setUp(t);
  const build = accept("main");
  claim(ledger, build, 1_000);

  start(10);
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.deepEqual(queued(), []);
  wait(1_001);

  t.true(await until(() => queued().includes(build.id)));
});

test("what a commit was not told is told, even while the queue takes nothing", async (t) => {
  const { loopback, github, accept, start } = await setUp(t);
  loopback.queueStatus = 503;
  accept("main");

  start();

  const shown = await until(() => github.statuses[0]);
  t.like(shown, { context: "stack-deploy", state: "pending" });
  t.like(
    loopback.lines.find(({ event }) => event === "sweep-failed"),
    { level: "warn", error: "The gateway answered 503 to a job for git-tar; is the queue up?" },
  );
});

test("a queue that comes back is given what it refused", async (t) => {
  const { loopback, accept, start, queued } = await setUp(t);
  loopback.queueStatus = 503;
  const build = accept("main");
  start(10);
  await until(() => loopback.lines.some(({ event }) => event === "sweep-failed"));

  loopback.queueStatus = 202;

  t.true(await until(() => queued().includes(build.id)));
});

test("a sweeper that was stopped sweeps no more", async (t) => {
  const { accept, start, queued } = await setUp(t);
  const sweeper = start(10);

  sweeper.stop();
  accept("main");
  await new Promise((resolve) => setTimeout(resolve, 80));

  t.deepEqual(queued(), []);
});
