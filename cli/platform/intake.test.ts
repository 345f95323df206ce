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
import { serve } from "#sdk/serve.ts";
import { readConfig } from "../../functions/github-status/config.ts";
import { createGithubStatus } from "../../functions/github-status/handler.ts";
import { startGithubServer } from "../../test/helpers/github-server.ts";
import { createLoopback } from "../../test/helpers/loopback-gateway.ts";
import { until } from "../../test/helpers/until.ts";
import { startIntake } from "./intake.ts";

const owner = { id: "github:1", scm: "github", login: "alice" } as const;
const repository = { ...repositoryOf(owner), installationId: 7 };

/** A source with one branch and one delivery that failed, and the platform's ledger. */
async function setUp(t: ExecutionContext) {
  const { ledger, now } = openLedgerFor(t);
  const { appId, privateKey } = await startGithubServer(t);
  const source = {
    head: shaOf(1),
    requests: [] as string[],
    down: false,
    delayMs: 0,
    mostAtOnce: 0,
  };
  let open = 0;
  const served = await serve(answerLater, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  const loopback = createLoopback();
  const { gateway, log } = loopback;
  const apps = createGithubApps({
    sources: [{ scm: "github", baseUrl: served.url, appId, privateKey }],
  });
  const status = createGithubStatus({ config: readConfig({}), ledger, apps, gateway, now });
  return {
    ledger,
    source,
    loopback,
    accept: () => buildOf(ledger.acceptPush(push({ owner, repository, sha: source.head }))),
    start(catch_up_interval = "1h") {
      const env = { catch_up_interval };
      const stop = startIntake({ ledger, apps, gateway, env, status, log });
      t.teardown(stop);
      return stop;
    },
  };

  async function answerLater(request: Request): Promise<Response> {
    open += 1;
    source.mostAtOnce = Math.max(source.mostAtOnce, open);
    await new Promise((resolve) => setTimeout(resolve, source.delayMs));
    open -= 1;
    return answer(request);
  }

  function answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    source.requests.push(`${request.method} ${pathname}`);
    if (source.down) return Response.json({ message: "down" }, { status: 503 });
    if (pathname.endsWith("/access_tokens")) {
      const expires_at = new Date(Date.now() + 3_600_000).toISOString();
      return Response.json({ token: "ghs_1", expires_at, permissions: {} }, { status: 201 });
    }
    if (pathname === "/app/hook/deliveries") {
      const delivered_at = new Date().toISOString();
      return Response.json([{ id: 5, guid: "lost", status_code: 502, delivered_at }]);
    }
    if (request.method === "POST") return Response.json({}, { status: 202 });
    if (pathname.endsWith("/git/ref/heads%2Fmain") || pathname.endsWith("/git/ref/heads/main"))
      return Response.json({ ref: "refs/heads/main", object: { sha: source.head } });
    return Response.json({ statuses: [], check_runs: [] });
  }
}

test("a commit that no delivery told of is accepted and queued at start", async (t) => {
  const { ledger, source, loopback, accept, start } = await setUp(t);
  const before = accept();
  source.head = shaOf(2);

  start();

  const job = await until(() => loopback.jobs.find(({ name }) => name === "git-tar"));
  const [build] = ledger.listBuilds({ limit: 1 });
  t.like(build, { sha: shaOf(2), generation: before.generation + 1, state: "accepted" });
  t.like(job, { body: { buildId: build?.id }, ownerId: "github:1" });
});

test("a delivery that failed is asked for again at start", async (t) => {
  const { source, start } = await setUp(t);

  start();

  t.true(await until(() => source.requests.includes("POST /app/hook/deliveries/5/attempts")));
});

test("what a commit shows wrongly about a build that ended is put right at start", async (t) => {
  const { ledger, source, accept, start } = await setUp(t);
  const held = claim(ledger, accept());
  const wanted = { context: "stack-deploy", state: "failure", description: "", targetUrl: "" };
  ledger.endBuild(held, "failed", "no stack.yml", [{ ...wanted, state: "failure" }]);
  for (const unsent of ledger.listUnsent(Date.now())) ledger.markSent(unsent);

  start();

  t.true(
    await until(() =>
      source.requests.includes(`POST /repos/alice/shop/statuses/${held.build.sha}`),
    ),
  );
});

test("a source that is down is logged and asked again, round after round", async (t) => {
  const { ledger, source, loopback, accept, start } = await setUp(t);
  accept();
  source.down = true;
  start("20ms");
  await until(() => loopback.lines.some(({ event }) => event === "ask-back-failed"));
  await until(() => loopback.lines.some(({ event }) => event === "head-not-read"));

  source.head = shaOf(2);
  source.down = false;

  t.true(await until(() => ledger.listBuilds({ limit: 1 })[0]?.sha === shaOf(2)));
});

test("a round that takes longer than the interval is not doubled", async (t) => {
  const { source, loopback, accept, start } = await setUp(t);
  accept();
  source.delayMs = 100;

  start("5ms");
  await until(() => source.requests.filter((call) => call.includes("/git/ref/")).length >= 2);

  t.is(source.mostAtOnce, 1);
  t.false(loopback.lines.some(({ level }) => level === "warn"));
});

test("an intake that was stopped begins no further round", async (t) => {
  const { source, accept, start } = await setUp(t);
  accept();
  const rounds = () => source.requests.filter((call) => call === "GET /app/hook/deliveries").length;
  const stop = start("20ms");
  await until(() => rounds() >= 2);

  stop();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const after = rounds();
  await new Promise((resolve) => setTimeout(resolve, 100));

  t.is(rounds(), after);
});
