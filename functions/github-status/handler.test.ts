import test, { type ExecutionContext } from "ava";
import {
  buildOf,
  setUp as openLedgerFor,
  push,
  repositoryOf,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { Scm } from "#ledger/types/owner.ts";
import type { WantedStatus } from "#ledger/types/status.ts";
import type { Env } from "#sdk/env.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { startGithubServer } from "../../test/helpers/github-server.ts";
import { createLoopback } from "../../test/helpers/loopback-gateway.ts";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { readConfig } from "./config.ts";
import { createGithubStatus } from "./handler.ts";

const owner = { id: "github:1", scm: "github" as Scm, login: "Alice" };
const repository = { ...repositoryOf(owner), installationId: 7 };

/** One accepted push that shows nothing but pending, and a server that GitHub would be. */
async function setUp(t: ExecutionContext, env: Env = {}, timeoutMs = 20_000) {
  const github = await startGithubServer(t);
  const place = openLedgerFor(t);
  const { ledger } = place;
  const logs = new Map<string, string>();
  const loopback = createLoopback(() => ({
    "pipeline-log": async (request) => {
      const text = logs.get(new URL(request.url).searchParams.get("function") ?? "");
      return new Response(text ?? "none", { status: text === undefined ? 404 : 200 });
    },
  }));
  const apps = createGithubApps({
    sources: [
      { scm: "github", baseUrl: github.url, appId: github.appId, privateKey: github.privateKey },
    ],
    timeoutMs,
  });
  const room = createGithubStatus({
    config: readConfig(env),
    ledger,
    apps,
    gateway: loopback.gateway,
    now: place.now,
  });
  const build = buildOf(ledger.acceptPush(push({ owner, repository })));
  const answer = loopback.serve(room.handler);
  const post = (body: unknown) =>
    answer(
      new Request("http://functions/github-status", { method: "POST", body: JSON.stringify(body) }),
    );

  return {
    ...place,
    ledger,
    github,
    loopback,
    room,
    build,
    logs,
    post,
    report: () => post({ v: 1, buildId: build.id, step: "status" }),
    want: (status: Partial<WantedStatus>, of: Build = build) =>
      ledger.wantStatus(of.repositoryId, of.sha, { ...wanted, ...status }, of.id),
  };
}

const wanted: WantedStatus = {
  context: "stack-deploy",
  state: "success",
  description: "2 functions deployed in 850 ms",
  targetUrl: "https://alice.example.com/",
};

test("a build's statuses are sent once, with all they say", async (t) => {
  const { github, report, want } = await setUp(t);
  want({});
  want({ context: "cart", targetUrl: "https://alice.example.com/cart" });

  const first = await report();
  const second = await report();

  t.deepEqual(await first.json(), { token: "", sent: 2, retried: 0, givenUp: 0 });
  t.like(await second.json(), { sent: 0 });
  t.deepEqual(github.statuses, [
    {
      context: "stack-deploy",
      state: "success",
      description: wanted.description,
      target_url: wanted.targetUrl,
    },
    {
      context: "cart",
      state: "success",
      description: wanted.description,
      target_url: "https://alice.example.com/cart",
    },
  ]);
  t.is(github.lastHeaders.get("x-github-api-version"), "2022-11-28");
});

test("one job tells of a push and of the builds it superseded, and of no other repository", async (t) => {
  const { github, ledger, post, build } = await setUp(t);
  const newer = buildOf(ledger.acceptPush(push({ owner, repository, sha: shaOf(2) })));
  const elsewhere = { ...repository, id: "github:11", name: "other", fullName: "Alice/other" };
  ledger.acceptPush(push({ owner, repository: elsewhere, sha: shaOf(3) }));

  const answer = await post({ v: 1, buildId: newer.id, step: "status" });

  t.like(await answer.json(), { sent: 2 });
  const shown = (sha: string) => ledger.listStatuses(repository.id, sha).map(({ sent }) => sent);
  t.deepEqual([shown(build.sha), shown(newer.sha)], [[true], [true]]);
  t.deepEqual(github.statuses.map(({ state }) => state).toSorted(), ["error", "pending"]);
});

test("one installation token serves many statuses", async (t) => {
  const { github, report, want } = await setUp(t);
  for (const context of ["a", "b", "c", "d"]) want({ context });

  await report();

  t.is(github.statuses.length, 5);
  t.is(github.requests.filter((request) => request.endsWith("/access_tokens")).length, 1);
});

test("only the newest of a context is sent, and what comes while sending is sent after it", async (t) => {
  const { github, report, want } = await setUp(t);
  want({ description: "older" });
  want({ description: "newer" });
  github.onWrite = () => {
    github.onWrite = () => {};
    want({ state: "failure", description: "newest" });
  };

  await Promise.all([report(), report(), report()]);

  t.deepEqual(
    github.statuses.map(({ description }) => description),
    ["newer", "newest"],
  );
});

test("a long reason arrives with 140 characters", async (t) => {
  const { github, report, want } = await setUp(t);
  want({ state: "failure", description: "ü".repeat(500) });

  await report();

  t.is(github.statuses[0]?.description.length, 140);
});

const PASSING: readonly [string, { status: number; headers?: Record<string, string> }, number][] = [
  ["500", { status: 500 }, 1_000],
  ["502 with Retry-After: 30", { status: 502, headers: { "retry-after": "30" } }, 30_000],
  ["429 with Retry-After: 120", { status: 429, headers: { "retry-after": "120" } }, 120_000],
  ["403 of a secondary limit", { status: 403, headers: { "retry-after": "60" } }, 60_000],
  [
    "403 of an exhausted limit",
    {
      status: 403,
      headers: {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": String(Date.UTC(2026, 0, 1) / 1_000 + 90),
      },
    },
    90_000,
  ],
];

for (const [what, fault, pauseMs] of PASSING) {
  test(`${what} is no error: the status is sent again after ${pauseMs} ms`, async (t) => {
    const { github, loopback, room, report, wait } = await setUp(t);
    github.faults.push(fault);

    const response = await report();
    wait(pauseMs - 1);
    const early = await room.sendDue(loopback.log);
    wait(1);
    const due = await room.sendDue(loopback.log);

    t.is(response.status, 200);
    t.like(await response.json(), { sent: 0, retried: 1 });
    t.like(early, { sent: 0, retried: 0 });
    t.like(due, { sent: 1 });
    t.is(github.statuses[0]?.state, "pending");
  });
}

test("a source that never answers is given up on after the time-out and asked again later", async (t) => {
  const { github, loopback, room, report, wait } = await setUp(t, {}, 3_000);
  github.faults.push("hang");

  const response = await report();
  wait(1_000);
  const due = await room.sendDue(loopback.log);

  t.like(await response.json(), { retried: 1 });
  t.like(due, { sent: 1 });
});

for (const status of [404, 422]) {
  test(`${status} is for good: recorded, logged and not tried again`, async (t) => {
    const { github, ledger, loopback, room, report, build, wait } = await setUp(t);
    github.faults.push({ status });

    const response = await report();
    wait(30 * 86_400_000);
    const later = await room.sendDue(loopback.log);

    t.is(response.status, 200);
    t.like(await response.json(), { givenUp: 1 });
    t.like(later, { sent: 0, retried: 0, givenUp: 0 });
    t.like(ledger.listStatuses(build.repositoryId, build.sha)[0], { sent: false, attempts: 1 });
    t.true(loopback.lines.some(({ event }) => event === "status-given-up"));
  });
}

test("what was given up is told anew once there is something new to tell", async (t) => {
  const { github, report, want } = await setUp(t);
  github.faults.push({ status: 422 });
  await report();

  want({});
  const response = await report();

  t.like(await response.json(), { sent: 1 });
});

test("one context's failure does not keep the others waiting", async (t) => {
  const { github, report, want } = await setUp(t);
  want({ context: "cart" });
  github.faults.push({ status: 500 });

  t.like(await (await report()).json(), { sent: 1, retried: 1 });
});

test("a skipped commit shows nothing at all while checks are off", async (t) => {
  const { github, report, want } = await setUp(t);
  want({ skipped: true });

  t.like(await (await report()).json(), { sent: 1 });
  t.deepEqual(github.statuses, []);
});

test("the old wire's message is told too, and no token is handed out", async (t) => {
  const { github, post, build } = await setUp(t);

  const response = await post({
    "commit-statuses": {
      cart: { status: "success", description: "deployed: alice-cart", context: "cart" },
    },
    event: { owner: "Alice", repository: "shop", sha: build.sha, service: "cart" },
    "auth-token": "",
  });

  t.is(response.status, 200);
  t.like(await response.json(), { token: "", sent: 2 });
  t.like(
    github.statuses.find(({ context }) => context === "cart"),
    { state: "success", target_url: "http://127.0.0.1:8080/function/alice-cart" },
  );
});

for (const [what, body, status] of [
  ["of a later version is put off", { v: 2, buildId: "x", step: "status" }, 503],
  ["of an unknown build is refused", { v: 1, buildId: "x", step: "status" }, 404],
  ["that says nothing is refused", { "commit-statuses": {}, event: {} }, 400],
  [
    "about a repository nobody pushed is refused",
    {
      "commit-statuses": { a: { status: "success", description: "", context: "a" } },
      event: { owner: "bob", repository: "x", sha: shaOf(1) },
    },
    404,
  ],
] as const) {
  test(`a job ${what} with ${status}`, async (t) => {
    const { post } = await setUp(t);

    t.is((await post(body)).status, status);
  });
}

test("with checks on, a check run is created once and then updated", async (t) => {
  const { github, ledger, report, want, logs } = await setUp(t, { use_checks: "true" });
  want({ context: "cart", state: "pending", description: "building" });
  await report();

  logs.set("cart", "npm ERR! missing\n```\nscript injected");
  want({ context: "cart", state: "failure", description: "npm [failed](x)" });
  await report();

  const cart = github.checkRuns.filter(({ name }) => name === "cart");
  t.is(cart.length, 1);
  t.like(cart[0], {
    status: "completed",
    conclusion: "failure",
    details_url: wanted.targetUrl,
    output: {
      title: "Build cart",
      summary: `[npm \\[failed\\]\\(x\\)](${wanted.targetUrl})`,
      text: "\n````shell\nnpm ERR! missing\n```\nscript injected\n````\n",
    },
  });
  t.true(github.requests.some((request) => request.startsWith("PATCH ")));
  t.is(ledger.listUnsent(Number.MAX_SAFE_INTEGER).length, 0);
});

test("a check run made before a crash is found by its name instead of made twice", async (t) => {
  const { github, report } = await setUp(t, { use_checks: "true" });
  const left = { status: "in_progress", details_url: "", output: { title: "", summary: "" } };
  github.checkRuns.push(
    { ...left, id: 1, name: "stack-deploy", app: { id: 41 } },
    { ...left, id: 2, name: "stack-deploy", app: { id: 42 } },
  );

  await report();

  t.is(github.checkRuns.length, 2);
  t.is(github.checkRuns[1]?.output.title, "Deploy to OpenFaaS");
});

for (const [state, skipped, conclusion] of [
  ["success", false, "success"],
  ["failure", false, "failure"],
  ["error", false, "failure"],
  ["success", true, "skipped"],
] as const) {
  test(`state ${state}${skipped ? " of a skipped commit" : ""} concludes a check run as ${conclusion}`, async (t) => {
    const { github, report, want } = await setUp(t, { use_checks: "true" });
    want({ state, skipped });

    await report();

    t.is(github.checkRuns[0]?.conclusion, conclusion);
  });
}

test("a superseded build's check run is cancelled rather than failed", async (t) => {
  const { github, ledger, report } = await setUp(t, { use_checks: "true" });
  ledger.acceptPush(push({ owner, repository, sha: shaOf(2) }));

  await report();

  t.like(github.checkRuns[0], { status: "completed", conclusion: "cancelled" });
});

test("after a restart what GitHub shows of recent builds is corrected, and only that", async (t) => {
  const { github, ledger, loopback, room, report, want, build } = await setUp(t);
  const claim = ledger.claimBuild(build.id, "worker", 60_000);
  if (claim !== undefined) ledger.endBuild(claim, "failed", "no stack.yml", []);
  want({ context: "cart" });
  await report();
  const before = github.statuses.length;
  const stack = github.statuses.findIndex(({ context }) => context === "stack-deploy");
  github.statuses.splice(stack, 1);

  const first = await room.correctAtBoot(loopback.log);
  const second = await room.correctAtBoot(loopback.log);

  t.deepEqual([first, second], [1, 0]);
  t.is(github.statuses.length, before);
  t.like(github.statuses.at(-1), { context: "stack-deploy", state: "failure" });
});

test("check runs that say something else after a restart are corrected, and only those", async (t) => {
  const { github, ledger, loopback, room, report, want, build } = await setUp(t, {
    use_checks: "true",
  });
  const claim = ledger.claimBuild(build.id, "worker", 60_000);
  if (claim !== undefined) ledger.endBuild(claim, "failed", "no stack.yml", []);
  want({ context: "cart" });
  await report();
  const stack = github.checkRuns.findIndex(({ name }) => name === "stack-deploy");
  Object.assign(github.checkRuns[stack] ?? {}, { conclusion: undefined, status: "in_progress" });

  const first = await room.correctAtBoot(loopback.log);
  const second = await room.correctAtBoot(loopback.log);

  t.deepEqual([first, second], [1, 0]);
  t.is(github.checkRuns.length, 2);
  t.like(github.checkRuns[stack], { status: "completed", conclusion: "failure" });
});

test("a comparison that the source refuses is put in the log and changes nothing", async (t) => {
  const { github, ledger, loopback, room, report, build } = await setUp(t);
  const claim = ledger.claimBuild(build.id, "worker", 60_000);
  if (claim !== undefined) ledger.endBuild(claim, "failed", "no stack.yml", []);
  await report();
  Object.assign(github, { statuses: undefined });

  t.is(await room.correctAtBoot(loopback.log), 0);
  t.true(loopback.lines.some(({ event }) => event === "statuses-not-compared"));
});

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/github-status"), variablesOf(readConfig));
});
