import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { alice, buildOf, claim, push, repositoryOf, shaOf } from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { killAt } from "../../test/helpers/kill-at.ts";
import { functionAt, openPipeline, pipelineOn } from "../../test/helpers/open-pipeline.ts";
import { linesOf, startPlatformServer } from "../../test/helpers/platform-server.ts";
import { until } from "../../test/helpers/until.ts";
import { BuildFailed } from "./build-failed.ts";

/** The builder hangs at every build until it is let go; how many it was called off is counted. */
function hangBuilder({ platform }: Awaited<ReturnType<typeof openPipeline>>) {
  const { build } = platform;
  const builder = { called: 0, calledOff: 0, mend: () => {} };
  builder.mend = () => {
    platform.build = build;
  };
  platform.build = (request) => {
    builder.called += 1;
    request.signal.addEventListener("abort", () => {
      builder.calledOff += 1;
    });
    return new Promise<never>(() => {});
  };
  return builder;
}

/** A ledger that notes each state a build goes through. */
function noteStates(ledger: Ledger, { id }: Build): { noting: Ledger; states: string[] } {
  const states: string[] = [];
  const noting = new Proxy(ledger, {
    get: (target, name, receiver) => {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, given);
        const state = target.findBuild(id)?.state ?? "";
        if (states.at(-1) !== state) states.push(state);
        return result;
      };
    },
  });
  return { noting, states };
}

test("a push goes through every state in order, and everything about it is told", async (t) => {
  const { ledger, platform, accept, run, start, source, told, statuses } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  const { noting, states } = noteStates(ledger, build);
  start(noting, platform.gateway);

  const { status, body } = await run(build);

  t.is(status, 200);
  t.deepEqual(body, { claimed: true, build: build.id, state: "live" });
  t.deepEqual(states, ["accepted", "planned", "building", "built", "deploying", "live"]);
  t.deepEqual(source.asked, ["head main", "commit 0000001", "plan 0000001", "context cart"]);
  t.deepEqual(platform.engine.serving(), { "alice-cart": "cart:1" });
  t.deepEqual(told(build), [
    "fetched",
    "planned",
    "cart building",
    "cart: npm ci",
    "cart built",
    "cart starting",
    "cart healthy",
    "ended live",
  ]);
  t.deepEqual(statuses(build), {
    cart: "success: deployed: alice-cart",
    "stack-deploy": "success: stack is successfully deployed",
  });
  t.deepEqual(platform.jobs, [
    { name: "github-status", body: { v: 1, buildId: build.id, step: "status" } },
  ]);
});

test("what did not change is neither built nor deployed, and the plan says so", async (t) => {
  const { ledger, platform, accept, run, told, source } = await openPipeline(t);
  await run(accept(shaOf(1), [functionAt("cart", "1"), functionAt("pay", "1")]));
  const build = accept(shaOf(2), [functionAt("cart", "2"), functionAt("pay", "1")]);
  source.asked.length = 0;

  await run(build);

  t.deepEqual(source.asked.slice(3), ["context cart"]);
  t.deepEqual(platform.engine.switches.slice(2), ["alice-cart cart:2"]);
  t.true(told(build).includes("pay unchanged"));
  const [, planned] = ledger.listEvents(build.id);
  t.like(planned?.event, {
    type: "planned",
    functions: [
      { name: "cart", action: "build" },
      { name: "pay", action: "unchanged" },
    ],
  });
});

test("every function that does not build is named, in the stack's order, and nothing is switched", async (t) => {
  const { ledger, platform, accept, run, statuses, source } = await openPipeline(t);
  const plan = ["cart", "mail", "pay"].map((name) => functionAt(name, "1"));
  const build = accept(shaOf(1), plan);
  platform.build = async (request) => {
    const key = request.headers.get("x-content-key") ?? "";
    await request.arrayBuffer();
    const result = key.includes("pay")
      ? linesOf({ status: "failed", error: "npm ci ended with 1" })
      : linesOf({ status: "success", digest: `sha256:${"1".repeat(64)}` });
    return result;
  };
  source.onAsk = (question) => {
    if (question === "context cart") throw new BuildFailed("failed", "a link leaves the folder");
  };

  const { status, body } = await run(build);

  t.is(status, 200);
  t.is(body.state, "failed");
  t.is(
    ledger.findBuild(build.id)?.reason,
    "cart, pay failed to build; cart: a link leaves the folder",
  );
  t.deepEqual(statuses(build), {
    cart: "failure: a link leaves the folder",
    mail: "error: not deployed, because of cart, pay",
    pay: "failure: npm ci ended with 1",
    "stack-deploy": "failure: cart, pay failed to build; cart: a link leaves the folder",
  });
  t.deepEqual(platform.engine.switches, []);
  t.not(ledger.findArtifact(alice.id, functionAt("mail", "1").key), undefined);
});

test("a stack that asks for another owner's secret ends the build before anything is built", async (t) => {
  const { ledger, platform, accept, run, source } = await openPipeline(t);
  const other = { id: "forge:2", scm: "forge", login: "alice-prod" } as const;
  ledger.acceptPush(push({ owner: other, repository: repositoryOf(other, 20) }));
  const planned = functionAt("cart", "1");
  const deployment = { ...planned.deployment, secrets: ["alice-prod-db"] };
  const build = accept(shaOf(1), [{ ...planned, deployment }]);

  await run(build);

  t.like(ledger.findBuild(build.id), {
    state: "failed",
    reason: 'functions.cart.secrets: "alice-prod-db" may be another owner\'s; choose another name',
  });
  t.false(source.asked.includes("context cart"));
  t.deepEqual(platform.engine.serving(), {});
});

test("a function that never becomes healthy fails the push with the engine's reason", async (t) => {
  const { platform, accept, run, statuses } = await openPipeline(t);
  await run(accept(shaOf(1), [functionAt("cart", "1"), functionAt("pay", "1")]));
  platform.engine.unhealthy = ({ image }) => (image.startsWith("pay:2") ? "it exited" : undefined);
  const build = accept(shaOf(2), [functionAt("cart", "2"), functionAt("pay", "2")]);

  const { body } = await run(build);

  t.is(body.state, "failed");
  const reason = 'Function "alice-pay" did not become healthy: it exited.';
  t.deepEqual(statuses(build), {
    cart: "error: not deployed, because of pay",
    pay: `failure: ${reason}`,
    "stack-deploy": `failure: pay: ${reason}`,
  });
  t.deepEqual(platform.engine.serving(), { "alice-cart": "cart:1", "alice-pay": "pay:1" });
});

test("a stack that is refused ends the build with its reason and is not tried again", async (t) => {
  const { accept, run, source, statuses } = await openPipeline(t);
  const build = accept(shaOf(1), []);
  source.onAsk = (question) => {
    if (question.startsWith("plan")) throw new BuildFailed("failed", "stack.yml is missing");
  };

  const first = await run(build);
  const again = await run(build);

  t.is(first.body.state, "failed");
  t.deepEqual(again, { status: 200, body: { claimed: false, build: build.id } });
  t.deepEqual(statuses(build), { "stack-deploy": "failure: stack.yml is missing" });
});

for (const [what, end, state] of [
  ["superseded", ({ accept }) => accept(shaOf(2), [functionAt("cart", "2")]), "superseded"],
  ["cancelled", ({ ledger }, { id }) => ledger.cancelBuild(id, "by hand"), "cancelled"],
] as readonly [
  string,
  (on: Awaited<ReturnType<typeof openPipeline>>, build: Build) => void,
  string,
][])
  test(`a build that is ${what} while it builds stops at once and leaves nothing`, async (t) => {
    const pipeline = await openPipeline(t);
    const { ledger, platform, accept, run, runQueued, told } = pipeline;
    const builder = hangBuilder(pipeline);
    const build = accept(shaOf(1), [functionAt("cart", "1")]);

    const running = run(build);
    await until(() => builder.called === 1);
    end(pipeline, build);
    const { status, body } = await running;
    await until(() => builder.calledOff === 1);

    t.is(status, 200);
    t.is(body.state, state);
    t.is(ledger.findArtifact(alice.id, functionAt("cart", "1").key), undefined);
    t.deepEqual(platform.engine.switches, []);
    t.is(told(build).filter((one) => one.startsWith("ended")).length, 1);

    builder.mend();
    const ran = await runQueued();
    t.is(ran.length, what === "superseded" ? 1 : 0);
    t.deepEqual(platform.engine.serving(), what === "superseded" ? { "alice-cart": "cart:2" } : {});
  });

test("a newer head that no delivery told of is accepted and built instead", async (t) => {
  const { ledger, accept, run, runQueued, source, platform } = await openPipeline(t);
  const old = accept(shaOf(1), [functionAt("cart", "1")]);
  const plan = { v: 1, functions: [functionAt("cart", "2")] } as const;
  source.heads.set("main", shaOf(2));
  source.plans.set(shaOf(2), { plan, notes: [] });

  const { body } = await run(old);
  const [ran = ""] = await runQueued();

  t.is(body.state, "superseded");
  t.like(ledger.findBuild(ran), { sha: shaOf(2), generation: 2, state: "live" });
  t.deepEqual(platform.engine.switches, ["alice-cart cart:2"]);
  t.like(ledger.listDeliveries(1)[0], {
    event: "manual",
    reason: "noticed without a delivery: main is at 0000002",
  });
});

test("a push that was superseded before its turn gives its place to the newer one", async (t) => {
  const { ledger, wait, accept, run, platform } = await openPipeline(t);
  const old = accept(shaOf(1), [functionAt("cart", "1")]);
  wait(60_000);
  const newer = accept(shaOf(2), [functionAt("cart", "2")]);

  const first = await run(old);
  const own = await run(newer);

  t.is(ledger.findBuild(old.id)?.state, "superseded");
  t.deepEqual(first.body, { claimed: true, build: newer.id, state: "live" });
  t.deepEqual(own.body, { claimed: false, build: newer.id });
  t.deepEqual(platform.engine.switches, ["alice-cart cart:2"]);
  t.is(ledger.listBuilds({ limit: 10 }).length, 2);
});

test("a push that was superseded a moment ago leaves the newer one to its own job", async (t) => {
  const { ledger, run, source } = await openPipeline(t);
  const old = buildOf(ledger.acceptPush(push({ sha: shaOf(1) })));
  const held = claim(ledger, old);
  ledger.storePlan(held, { v: 1, functions: [] }, []);
  ledger.beginDeploying(held);
  const waiting = buildOf(ledger.acceptPush(push({ sha: shaOf(2) })));
  ledger.endBuild(held, "live", "", []);
  buildOf(ledger.acceptPush(push({ sha: shaOf(3) })));
  source.heads.set("main", shaOf(3));

  const { body } = await run(waiting);

  t.is(body.claimed, false);
  t.is(ledger.findBuild(waiting.id)?.state, "superseded");
  t.is(ledger.listBuilds({ limit: 10 }).length, 3);
});

test("after three supersedes in a row a build is let through, whatever the head is by then", async (t) => {
  const { ledger, accept, run, source, platform } = await openPipeline(t);
  for (let number = 1; number <= 3; number++)
    claim(ledger, accept(shaOf(number), [functionAt("cart", `${number}`)]));
  const build = accept(shaOf(4), [functionAt("cart", "4")]);
  source.heads.set("main", shaOf(5));

  const { body } = await run(build);

  t.is(body.state, "live");
  t.deepEqual(platform.engine.serving(), { "alice-cart": "cart:4" });
  t.like(ledger.listUnleased()[0], { sha: shaOf(5), state: "accepted" });
  t.like(platform.jobs.at(-1), { name: "git-tar" });
});

test("a branch that is gone cancels its build", async (t) => {
  const { accept, run, source, statuses, platform } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  source.heads.delete("main");

  const { body } = await run(build);

  t.is(body.state, "cancelled");
  t.deepEqual(statuses(build), { "stack-deploy": "error: branch main is gone at its source" });
  t.deepEqual(platform.engine.switches, []);
});

for (const [what, error] of [
  ["is down", new Error("fetch failed")],
  ["answers 403", new HttpError(403, "rate-limited", "the rate limit is reached")],
] as const)
  for (const question of ["head main", "commit 0000001", "plan 0000001", "context cart"])
    test(`a source that ${what} when asked for ${question} is tried again, and nothing has failed`, async (t) => {
      const { ledger, accept, run, source, statuses } = await openPipeline(t);
      const build = accept(shaOf(1), [functionAt("cart", "1")]);
      source.onAsk = (asked) => {
        if (asked === question) throw error;
      };

      const first = await run(build);
      const between = ledger.listUnleased().map(({ id }) => id);
      source.onAsk = () => {};
      const second = await run(build);

      t.true(first.status >= 500, `${first.status}`);
      t.deepEqual(between, [build.id]);
      t.is(second.body.state, "live");
      t.is(statuses(build)["stack-deploy"], "success: stack is successfully deployed");
    });

test("a builder that breaks off is tried again; what was built beside it is not built twice", async (t) => {
  const { accept, run, platform, source, told } = await openPipeline(t);
  const plan = ["cart", "pay", "mail", "web"].map((name) => functionAt(name, "1"));
  const build = accept(shaOf(1), plan);
  const { build: works } = platform;
  const { packContext } = source;
  const cartEnded = Promise.withResolvers<void>();
  source.packContext = (of, planned, signal) => {
    if (planned.name === "cart") signal.addEventListener("abort", () => cartEnded.resolve());
    return packContext(of, planned, signal);
  };
  platform.build = async (request) => {
    if (request.headers.get("x-content-key")?.includes("cart"))
      return linesOf({ log: ["npm ci"], status: "in_progress" });
    await cartEnded.promise;
    return works(request);
  };

  const first = await run(build);
  const asked = source.asked.filter((one) => one.startsWith("context"));
  const saidOfCart = told(build).filter((one) => one.startsWith("cart"));
  platform.build = works;
  const second = await run(build);

  t.is(first.status, 503);
  t.deepEqual(asked, ["context cart", "context pay"]);
  t.deepEqual(saidOfCart, [
    "cart building",
    "cart: npm ci",
    "cart: the builder broke off: its answer ended without a result",
    "cart failed",
  ]);
  t.is(second.body.state, "live");
  t.is(told(build).filter((one) => one === "pay built").length, 1);
  t.is(source.asked.filter((one) => one === "context pay").length, 1);
  t.is(source.asked.filter((one) => one === "context cart").length, 2);
});

test("only so many functions are built at once", async (t) => {
  const { accept, run, platform } = await openPipeline(t, { concurrency: 2 });
  const { build: works } = platform;
  let running = 0;
  let most = 0;
  platform.build = async (request) => {
    running += 1;
    most = Math.max(most, running);
    // However slowly the second one comes, the first is still there.
    await until(() => most >= 2, 30_000);
    await sleep(20);
    const answer = await works(request);
    running -= 1;
    return answer;
  };

  await run(
    accept(
      shaOf(1),
      ["a", "b", "c", "d", "e"].map((name) => functionAt(name, "1")),
    ),
  );

  t.is(most, 2);
});

test("a context that nobody takes is let go", async (t) => {
  const { accept, run, platform, source } = await openPipeline(t);
  let signal: AbortSignal | undefined;
  source.packContext = async (_, __, given) => {
    signal = given;
    return ReadableStream.from([Buffer.from("x")]);
  };
  platform.build = () => new Response("", { status: 500 });

  await run(accept(shaOf(1), [functionAt("cart", "1")]));

  t.true(signal?.aborted);
});

test("a worker that lost its lease stops, and leaves the build to whoever has it", async (t) => {
  const pipeline = await openPipeline(t, { leaseMs: 60 });
  const { ledger, accept, run, platform } = pipeline;
  const builder = hangBuilder(pipeline);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);

  const running = run(build);
  await until(() => builder.called === 1);
  ledger.voidLeases();
  const other = claim(ledger, build, 600_000);
  const { status, body } = await running;

  t.is(status, 200);
  t.is(body.state, "building");
  t.true(ledger.renewClaim(other, 600_000));
  t.deepEqual(platform.engine.switches, []);
  t.like(
    platform.lines.find(({ event }) => event === "build-left"),
    { build: build.id },
  );
});

test("a lease that is lost while the stack switches ends nothing", async (t) => {
  const { ledger, accept, run, platform } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1"), functionAt("pay", "1")]);
  platform.engine.unhealthy = () => {
    ledger.voidLeases();
    claim(ledger, build);
    return "it exited";
  };

  const { status, body } = await run(build);

  t.is(status, 200);
  t.is(body.state, "deploying");
});

test("a build that was deploying goes on with that, without asking its source", async (t) => {
  const { ledger, accept, run, platform, source } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  platform.engine.onCall = () => {
    throw new HttpError(503, "closing", "stopping");
  };
  const first = await run(build);
  platform.engine.onCall = () => {};
  source.onAsk = () => {
    throw new Error("the source is down");
  };

  const waiting = accept(shaOf(2), [functionAt("cart", "2")]);
  const tooEarly = await run(waiting);
  const second = await run(build);

  t.is(first.status, 503);
  t.is(tooEarly.body.claimed, false);
  t.is(second.body.state, "live");
  t.deepEqual(platform.engine.serving(), { "alice-cart": "cart:1" });
  t.is(ledger.findBuild(waiting.id)?.state, "accepted");
  t.like(platform.jobs.at(-1), { name: "git-tar", body: { buildId: waiting.id } });
});

for (const [what, job, status, code] of [
  ["of an unknown version", { v: 2, buildId: "x", step: "run" }, 503, "unknown-version"],
  ["without a version", { buildId: "x", step: "run" }, 400, "bad-job"],
  ["for another step", { v: 1, buildId: "x", step: "status" }, 400, "bad-job"],
  ["without a build", { v: 1, step: "run" }, 400, "bad-job"],
  ["that is null", null, 400, "bad-job"],
  ["that is no JSON", undefined, 400, "bad-job"],
] as const)
  test(`a job ${what} is ${status}`, async (t) => {
    const { platform } = await openPipeline(t);

    const response = await platform.gateway.call("git-tar", JSON.stringify(job) ?? "{not json");

    t.is(response.status, status);
    t.like(await response.json(), { code });
  });

test("a job for a build that is not there, or that somebody holds, is done", async (t) => {
  const { ledger, accept, run } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  claim(ledger, build);

  t.deepEqual(await run(build), { status: 200, body: { claimed: false, build: build.id } });
  t.is((await run({ id: "none" })).body.claimed, false);
});

test("the removal of what the stack no longer has is queued before the build is live", async (t) => {
  const { ledger, accept, run, platform } = await openPipeline(t);
  await run(accept(shaOf(1), [functionAt("cart", "1"), functionAt("pay", "1")]));
  const build = accept(shaOf(2), [functionAt("cart", "2")]);

  platform.queueStatus = 500;
  const first = await run(build);
  const between = ledger.findBuild(build.id)?.state;
  platform.queueStatus = 202;
  const second = await run(build);

  t.is(first.status, 502);
  t.is(between, "deploying");
  t.is(second.body.state, "live");
  t.like(
    platform.jobs.find(({ name }) => name === "garbage-collect"),
    {
      body: {
        functions: ["cart"],
        repo: "shop",
        owner: "alice",
        ownerId: "forge:1",
        repositoryId: "forge:10",
        buildId: build.id,
      },
    },
  );
});

test("a queue that is down keeps no push from going live: the sweeper tells its commit later", async (t) => {
  const { accept, run, platform, ledger } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  platform.queueStatus = 500;

  const { status, body } = await run(build);

  t.is(status, 200);
  t.is(body.state, "live");
  t.is(platform.lines.filter(({ event }) => event === "status-not-queued").length, 1);
  t.true(ledger.listUnsent(Date.now()).length > 0);
});

test("a build that waited is not lost when it cannot be queued", async (t) => {
  const pipeline = await openPipeline(t);
  const { ledger, accept, run, platform } = pipeline;
  const builder = hangBuilder(pipeline);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  const running = run(build);
  await until(() => builder.called === 1);
  platform.queueStatus = 500;

  const newer = accept(shaOf(2), [functionAt("cart", "2")]);
  const { status } = await running;

  t.is(status, 200);
  t.is(platform.lines.filter(({ event }) => event === "waiting-not-queued").length, 1);
  t.deepEqual(
    ledger.listUnleased().map(({ id }) => id),
    [newer.id],
  );
});

test("notes about a stack file come before its plan, again when the plan was not stored", async (t) => {
  const { ledger, accept, run, source, start, platform } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  const told: string[] = [];
  const failing: Ledger = {
    ...ledger,
    // Noted here: what is told is this test's, not how the ledger keeps it.
    addEvent(id, event) {
      if (event.type === "note") told.push(event.text);
      else ledger.addEvent(id, event);
    },
  };
  const planned = source.plans.get(shaOf(1));
  if (planned !== undefined)
    source.plans.set(shaOf(1), { ...planned, notes: ["fprocess is ignored"] });
  start(
    {
      ...failing,
      storePlan() {
        throw new Error("the disk is full");
      },
    },
    platform.gateway,
  );
  await run(build);
  start(failing, platform.gateway);

  await run(build);

  t.deepEqual(told, ["fprocess is ignored", "fprocess is ignored"]);
});

const LEDGER_WRITES: (keyof Ledger)[] = [
  "claimBuild",
  "storePlan",
  "setState",
  "beginDeploying",
  "recordArtifact",
  "declareRelease",
  "markRelease",
  "addEvent",
  "endBuild",
];
const GATEWAY_WRITES: (keyof GatewayClient)[] = ["deploy", "remove", "queue"];

for (const when of ["before", "after"] as const)
  test(`killed right ${when} any write and started again, a push ends live exactly once`, async (t) => {
    t.timeout(120_000);
    const platform = await startPlatformServer(t);
    let killed = 0;

    for (let nth = 1; killed === nth - 1; nth++) {
      const where = `killed ${when} write ${nth}`;
      const struck = await killOnce(t, platform, nth, when, where);
      if (struck) killed += 1;
    }

    t.true(killed >= 20, `${killed} writes`);
  });

async function killOnce(
  t: ExecutionContext,
  platform: Awaited<ReturnType<typeof startPlatformServer>>,
  nth: number,
  when: "before" | "after",
  where: string,
): Promise<boolean> {
  platform.engine.functions.clear();
  platform.engine.switches.length = 0;
  platform.jobs.length = 0;
  const { ledger, accept, run, start, statuses, told } = pipelineOn(t, platform);
  await run(accept(shaOf(1), [functionAt("cart", "1"), functionAt("old", "1")]));
  const build = accept(shaOf(2), [functionAt("cart", "2"), functionAt("pay", "2")]);
  const killer = killAt(nth, when);
  start(killer.wrap(ledger, LEDGER_WRITES), killer.wrap(platform.gateway, GATEWAY_WRITES));

  await run(build);
  ledger.voidLeases();
  start(ledger, platform.gateway);
  await run(build);

  t.is(ledger.findBuild(build.id)?.state, "live", where);
  t.deepEqual(
    platform.engine.switches.toSorted(),
    ["alice-cart cart:1", "alice-cart cart:2", "alice-old old:1", "alice-pay pay:2"],
    where,
  );
  t.deepEqual(
    statuses(build),
    {
      cart: "success: deployed: alice-cart",
      pay: "success: deployed: alice-pay",
      "stack-deploy": "success: stack is successfully deployed",
    },
    where,
  );
  t.true(told(build).filter((one) => one === "ended live").length <= 1, where);
  t.true(
    platform.jobs.some(({ name }) => name === "garbage-collect"),
    where,
  );
  t.is(ledger.listReleases("alice-cart", 10).filter(({ state }) => state === "serving").length, 1);
  return killer.struck;
}

test("while the disk is full new code fails with the reason, and what is built already is deployed", async (t) => {
  let full: string | undefined;
  const pipeline = await openPipeline(t, { refuseMore: () => full });
  const { accept, run, statuses, platform, ledger } = pipeline;
  await run(accept(shaOf(1), [functionAt("cart", "1")]));
  await run(accept(shaOf(2), [functionAt("cart", "2")]));
  full =
    "The platform's data takes 12 GiB, more than the 10 GiB of disk_ceiling_mib; remove functions";

  const refused = accept(shaOf(3), [functionAt("cart", "3")]);
  const { body } = await run(refused);
  const known = await run(accept(shaOf(4), [functionAt("cart", "1")]));

  t.like(body, { state: "failed" });
  t.is(statuses(refused)["stack-deploy"], `error: ${full}`);
  t.like(ledger.listEvents(refused.id).at(-1)?.event, { type: "ended", fault: "platform" });
  t.like(known.body, { state: "live" });
  t.deepEqual(platform.engine.serving(), { "alice-cart": "cart:1" });
});

test("a builder that breaks off at every attempt is told with its step: to the commit, the pusher and the log", async (t) => {
  const { accept, run, statuses, platform, ledger } = await openPipeline(t);
  const build = accept(shaOf(1), [functionAt("cart", "1")]);
  platform.build = async () => linesOf({ log: ["npm ci"], status: "in_progress" });

  for (let attempt = 1; attempt <= 6; attempt += 1) await run(build);
  await run(build);

  const reason =
    "gave up building cart: 5 attempts ended without a result; push again or redeliver to retry";
  t.is(statuses(build)["stack-deploy"], `error: ${reason}`);
  t.like(ledger.listEvents(build.id).at(-1)?.event, { type: "ended", reason, fault: "platform" });
  t.like(
    platform.lines.filter(({ event }) => event === "build-ended"),
    [{ level: "error", build: build.id, state: "failed", reason }],
  );
  t.is(platform.lines.filter(({ event }) => event === "build-ended").length, 1);
});
