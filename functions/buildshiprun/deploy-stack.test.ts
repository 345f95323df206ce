import test, { type ExecutionContext } from "ava";
import { ClaimLost } from "#ledger/errors.ts";
import { alice, buildOf, claim, push, repositoryOf, shaOf } from "#ledger/test-support/set-up.ts";
import type { Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { labels } from "#sdk/labels.ts";
import { Killed, killAt } from "../../test/helpers/kill-at.ts";
import { type PlatformServer, startPlatformServer } from "../../test/helpers/platform-server.ts";
import { deployStack } from "./deploy-stack.ts";
import { functionAt, openBuilds } from "./testing/set-up.ts";
import type { Tools } from "./tools.ts";

const NOW = Date.UTC(2026, 0, 2);

async function setUp(t: ExecutionContext) {
  const platform = await startPlatformServer(t);
  return on(t, platform);
}

/** A ledger of its own, and the engine as it is. */
function on(t: ExecutionContext, platform: PlatformServer) {
  const builds = openBuilds(t);
  const tools: Tools = {
    ledger: builds.ledger,
    gateway: platform.gateway,
    builderUrl: platform.url,
    fetch,
    key: platform.key,
    now: () => NOW,
  };
  return {
    ...builds,
    platform,
    engine: platform.engine,
    tools,
    deploy: (held: Claim, changed: Partial<Tools> = {}) =>
      deployStack({ ...tools, ...changed }, builds.again(held), platform.log),
    /** Take a stack live. */
    async goLive(...stack: readonly PlannedFunction[]) {
      const held = builds.built(...stack);
      const { ok } = await deployStack(tools, held, platform.log);
      if (!ok) throw new Error("The stack did not go live.");
      builds.ledger.endBuild(held, "live", "", []);
      return held.build;
    },
    /** What was told about functions: `cart starting`. */
    told: (held: Claim) =>
      builds.ledger.listEvents(held.build.id).flatMap(({ event }) => {
        if (event.type === "function") return [`${event.name} ${event.step}`];
        return event.type === "log" ? [`${event.name}: ${event.text}`] : [];
      }),
    /** State of each release, oldest first. */
    releases: (service: string) =>
      builds.ledger
        .listReleases(service, 100)
        .toReversed()
        .map(({ deployment, state }) => `${deployment.image.split("@")[0]} ${state}`),
  };
}

const sick = (...images: readonly string[]) =>
  function unhealthy({ image }: { readonly image: string }) {
    return images.some((one) => image.startsWith(`${one}@`))
      ? "it exited with 1\nError: no port\n    at cart.js:1"
      : undefined;
  };
const sickReason = (service: string) =>
  `Function "${service}" did not become healthy: it exited with 1.`;

test("each function that changed is declared, deployed with its identity, and serves", async (t) => {
  const { built, deploy, engine, ledger, told } = await setUp(t);
  const held = built(functionAt("cart", "1"), functionAt("pay", "1"));

  const outcome = await deploy(held);

  t.deepEqual(outcome, { ok: true, failures: [] });
  t.deepEqual(engine.serving(), { "alice-cart": "cart:1", "alice-pay": "pay:1" });
  const release = ledger.currentRelease("alice-cart");
  t.like(release, { buildId: held.build.id, fence: 1, state: "serving" });
  t.deepEqual(engine.functions.get("alice-cart")?.current, {
    ...release?.deployment,
    labels: {
      ...functionAt("cart", "1").deployment.labels,
      [labels.release]: release?.id,
      [labels.fence]: "1",
      [labels.gitDeployTime]: String(NOW / 1_000),
    },
  });
  t.deepEqual(told(held).toSorted(), [
    "cart healthy",
    "cart starting",
    "pay healthy",
    "pay starting",
  ]);
});

test("a function whose spec and image serve already is kept as it is", async (t) => {
  const { built, goLive, deploy, engine, ledger, told } = await setUp(t);
  const first = await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  const held = built(functionAt("cart", "2"), functionAt("pay", "1"));

  const outcome = await deploy(held);

  t.true(outcome.ok);
  t.deepEqual(engine.switches.slice(2), ["alice-cart cart:2"]);
  t.deepEqual(told(held), ["pay unchanged", "cart starting", "cart healthy"]);
  t.is(ledger.currentRelease("alice-pay")?.buildId, first.id);
});

test("when one never becomes healthy, the others go back under a new fence and new ones are removed", async (t) => {
  const { built, goLive, deploy, engine, ledger, told, releases } = await setUp(t);
  const first = await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  const held = built(functionAt("cart", "2"), functionAt("pay", "2"), functionAt("mail", "2"));
  engine.unhealthy = sick("pay:2");

  const outcome = await deploy(held);

  t.deepEqual(outcome, {
    ok: false,
    failures: [{ name: "pay", reason: sickReason("alice-pay") }],
  });
  t.deepEqual(engine.serving(), { "alice-cart": "cart:1", "alice-pay": "pay:1" });
  t.deepEqual(releases("alice-cart"), ["cart:1 retired", "cart:2 retired", "cart:1 serving"]);
  t.deepEqual(releases("alice-pay"), ["pay:1 serving", "pay:2 failed"]);
  const returned = ledger.currentRelease("alice-cart");
  t.like(returned, { fence: 3, specHash: "spec" });
  t.is(engine.functions.get("alice-cart")?.fence, 3);
  t.is(engine.functions.get("alice-cart")?.current?.labels?.[labels.release], returned?.id);
  t.is(ledger.currentRelease("alice-mail"), undefined);
  t.is(ledger.ownerOfFunction("alice-mail"), undefined);
  t.not(ledger.currentRelease("alice-pay"), undefined);
  t.is(ledger.currentRelease("alice-pay")?.buildId, first.id);
  const lines = told(held);
  t.true(lines.includes("mail removed"));
  t.deepEqual(
    lines.filter((line) => line.startsWith("pay")),
    ["pay starting", "pay: Error: no port", "pay:     at cart.js:1", "pay failed"],
  );
});

test("a new function that never becomes healthy leaves neither itself nor its name behind", async (t) => {
  const { built, deploy, engine, ledger } = await setUp(t);
  engine.unhealthy = sick("cart:1");

  const outcome = await deploy(built(functionAt("cart", "1")));

  t.false(outcome.ok);
  t.deepEqual([...engine.functions.keys()], []);
  t.is(ledger.ownerOfFunction("alice-cart"), undefined);
});

test("after a roll-back the next push deploys, and a failing one returns to the same version again", async (t) => {
  const { built, goLive, deploy, engine, ledger } = await setUp(t);
  await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  engine.unhealthy = sick("pay:2", "pay:3");
  for (const version of ["2", "3"]) {
    const held = built(functionAt("cart", version), functionAt("pay", version));
    t.false((await deploy(held)).ok);
    ledger.endBuild(held, "failed", "", []);
    t.deepEqual(engine.serving(), { "alice-cart": "cart:1", "alice-pay": "pay:1" });
  }

  const outcome = await deploy(built(functionAt("cart", "4"), functionAt("pay", "1")));

  t.true(outcome.ok);
  t.deepEqual(engine.serving(), { "alice-cart": "cart:4", "alice-pay": "pay:1" });
});

test("a function that was removed before is removed again by a roll-back, not brought back to life", async (t) => {
  const { built, goLive, deploy, engine, ledger, platform } = await setUp(t);
  await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  await platform.gateway.remove("alice-cart");
  ledger.removeFunction("alice-cart");
  engine.unhealthy = sick("pay:2");

  await deploy(built(functionAt("cart", "2"), functionAt("pay", "2")));

  t.deepEqual(engine.serving(), { "alice-pay": "pay:1" });
});

test("a name that another repository holds fails the stack before anything is switched", async (t) => {
  const { built, goLive, deploy, engine, ledger } = await setUp(t);
  await goLive(functionAt("cart", "1"));
  const blog = push({ repository: repositoryOf(alice, 11, "blog"), sha: shaOf(900) });
  const other = claim(ledger, buildOf(ledger.acceptPush(blog)));
  ledger.storePlan(
    other,
    { v: 1, functions: [functionAt("mail", "1"), functionAt("cart", "1")] },
    [],
  );
  ledger.recordArtifact({
    ownerId: alice.id,
    key: functionAt("mail", "1").key,
    digest: "sha256:0",
    image: "",
    sizeBytes: 0,
    createdAt: 0,
  });
  ledger.beginDeploying(other);
  const before = [...engine.switches];

  const outcome = await deploy(other);

  t.is(outcome.failures.length, 1);
  t.like(outcome.failures[0], {
    name: "cart",
    reason: 'Function name "alice-cart" is taken; rename the function in stack.yml and push again.',
  });
  t.deepEqual(engine.switches, before);
  t.deepEqual(engine.serving(), { "alice-cart": "cart:1" });
  t.is(ledger.ownerOfFunction("alice-mail"), undefined);
  t.is(ledger.ownerOfFunction("alice-cart")?.repositoryId, "forge:10");
  t.true((await deploy(built(functionAt("cart", "2")))).ok);
});

test("an artifact that is gone fails the stack before anything is switched", async (t) => {
  const { built, deploy, engine, ledger, told } = await setUp(t);
  const held = built(functionAt("cart", "1"), functionAt("pay", "1"));
  ledger.forgetArtifact(alice.id, functionAt("pay", "1").key);

  const { failures } = await deploy(held);

  t.deepEqual(failures, [
    {
      name: "pay",
      reason: "its artifact is gone; push again or ./ofc redeploy",
      fault: "platform",
    },
  ]);
  t.deepEqual(told(held), ["pay failed"]);
  t.deepEqual(engine.switches, []);
});

test("a fence that the engine has passed is lifted above it", async (t) => {
  const { goLive, engine, ledger } = await setUp(t);
  await goLive(functionAt("cart", "1"));
  const record = engine.functions.get("alice-cart");
  if (record === undefined) throw new Error("There is no cart.");
  record.fence = 41;

  await goLive(functionAt("cart", "2"));

  t.is(engine.functions.get("alice-cart")?.fence, 42);
  t.like(ledger.currentRelease("alice-cart"), { fence: 42, state: "serving" });
});

test("a fence that runs ahead of every attempt is lifted once, then the function has failed", async (t) => {
  const { built, goLive, deploy, engine } = await setUp(t);
  await goLive(functionAt("cart", "1"));
  let fence = 41;
  engine.onCall = () => {
    fence += 100;
    throw new HttpError(
      409,
      "stale-fence",
      `Function "alice-cart" is at fence ${fence}; too late.`,
    );
  };

  const outcome = await deploy(built(functionAt("cart", "2")));

  t.is(fence, 241);
  t.like(outcome, { ok: false, failures: [{ name: "cart" }] });
  t.deepEqual(engine.serving(), { "alice-cart": "cart:1" });
});

test("the way back is lifted over the engine's fence too", async (t) => {
  const { built, goLive, deploy, engine } = await setUp(t);
  await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  engine.unhealthy = ({ image }) => {
    const cart = engine.functions.get("alice-cart");
    if (image.startsWith("pay:2") && cart !== undefined) cart.fence = 70;
    return sick("pay:2")({ image });
  };
  const held = built(functionAt("pay", "2"), functionAt("cart", "2"));
  engine.onCall = async (_, name) => {
    // pay fails after cart was switched.
    while (name === "alice-pay" && engine.serving()["alice-cart"] !== "cart:2")
      await new Promise((resolve) => setTimeout(resolve, 5));
  };

  const outcome = await deploy(held);

  t.false(outcome.ok);
  t.deepEqual(engine.serving(), { "alice-cart": "cart:1", "alice-pay": "pay:1" });
  t.is(engine.functions.get("alice-cart")?.fence, 71);
});

test("what the engine refuses on the way back is logged and told, and the stack has failed all the same", async (t) => {
  const { built, goLive, deploy, engine, told, platform } = await setUp(t);
  await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  const held = built(functionAt("cart", "2"), functionAt("pay", "2"));
  engine.unhealthy = (deployment) => {
    const isReturn = deployment.image.startsWith("cart:1") && engine.switches.length > 2;
    return isReturn ? "it is gone" : sick("pay:2")(deployment);
  };

  const outcome = await deploy(held);

  t.deepEqual(outcome.failures, [{ name: "pay", reason: sickReason("alice-pay") }]);
  t.like(
    platform.lines.find(({ event }) => event === "roll-back-failed"),
    { level: "error", service: "alice-cart" },
  );
  t.true(
    told(held).includes(
      'cart: could not go back to what it served before: Function "alice-cart" did not become healthy: it is gone.',
    ),
  );
});

test("an image that the engine cannot get is the platform's fault, told by whoever goes on after a kill, too", async (t) => {
  const { built, deploy, engine } = await setUp(t);
  const held = built(functionAt("cart", "1"));
  engine.onCall = () => {
    throw new HttpError(400, "missing-image", "it cannot be pulled");
  };

  const outcome = await deploy(held);
  const again = await deploy(held);

  const failure = { name: "cart", reason: "it cannot be pulled", fault: "platform" };
  t.deepEqual(outcome.failures, [failure]);
  t.deepEqual(again.failures, [failure]);
});

for (const [status, code] of [
  [503, "closing"],
  [500, "internal"],
  [401, "unauthorized"],
  [429, "busy"],
] as const)
  test(`${status} of the engine is no verdict on a function: it is thrown, and tried again later`, async (t) => {
    const { built, goLive, deploy, engine, releases } = await setUp(t);
    await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
    const held = built(functionAt("cart", "2"), functionAt("pay", "2"));
    engine.onCall = (_, name) => {
      if (name === "alice-pay") throw new HttpError(status, code, "not now");
    };

    await t.throwsAsync(deploy(held), { instanceOf: HttpError, message: "not now" });
    engine.onCall = () => {};
    const outcome = await deploy(held);

    t.true(outcome.ok);
    t.deepEqual(engine.serving(), { "alice-cart": "cart:2", "alice-pay": "pay:2" });
    t.deepEqual(releases("alice-pay"), ["pay:1 retired", "pay:2 serving"]);
  });

test("when the engine goes away on the way back, the next attempt finishes it without switching again", async (t) => {
  const { built, goLive, deploy, engine } = await setUp(t);
  await goLive(functionAt("cart", "1"), functionAt("pay", "1"), functionAt("web", "1"));
  const held = built(functionAt("cart", "2"), functionAt("pay", "2"), functionAt("web", "2"));
  engine.unhealthy = sick("pay:2");
  let calls = 0;
  engine.onCall = (_, name) => {
    if (name === "alice-cart" && ++calls === 2) throw new HttpError(503, "closing", "stopping");
  };

  await t.throwsAsync(deploy(held), { message: "stopping" });
  t.deepEqual(engine.serving(), {
    "alice-cart": "cart:2",
    "alice-pay": "pay:1",
    "alice-web": "web:1",
  });
  // It would be healthy by now; a stack that began to go back goes all the way.
  engine.unhealthy = () => undefined;
  const outcome = await deploy(held);

  t.deepEqual(outcome, {
    ok: false,
    failures: [{ name: "pay", reason: sickReason("alice-pay") }],
  });
  t.deepEqual(engine.serving(), {
    "alice-cart": "cart:1",
    "alice-pay": "pay:1",
    "alice-web": "web:1",
  });
  t.is(engine.switches.filter((one) => one === "alice-web web:2").length, 1);
});

const LEDGER_WRITES: (keyof Ledger)[] = [
  "declareRelease",
  "markRelease",
  "removeFunction",
  "addEvent",
];
const GATEWAY_WRITES: (keyof GatewayClient)[] = ["deploy", "remove"];

for (const when of ["before", "after"] as const)
  for (const [story, healthy] of [
    ["a stack that becomes healthy", true],
    ["a stack that does not", false],
  ] as const)
    test(`killed right ${when} any write, ${story} ends the same`, async (t) => {
      const platform = await startPlatformServer(t);
      let killed = 0;

      for (let nth = 1; killed === nth - 1; nth++) {
        platform.engine.functions.clear();
        platform.engine.unhealthy = healthy ? () => undefined : sick("pay:2");
        const { built, goLive, deploy, reclaim, tools, ledger, releases } = on(t, platform);
        await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
        const held = built(
          functionAt("cart", "2"),
          functionAt("pay", "2"),
          functionAt("mail", "2"),
        );
        const killer = killAt(nth, when);

        const dying = deploy(held, {
          ledger: killer.wrap(tools.ledger, LEDGER_WRITES),
          gateway: killer.wrap(tools.gateway, GATEWAY_WRITES),
        });
        const end = await dying.catch((error: unknown) => error);
        if (killer.struck) {
          t.true(end instanceof Killed, `write ${nth}: ${String(end)}`);
          killed += 1;
        }
        const outcome = await deploy(reclaim(held));

        const expected = healthy
          ? { "alice-cart": "cart:2", "alice-mail": "mail:2", "alice-pay": "pay:2" }
          : { "alice-cart": "cart:1", "alice-pay": "pay:1" };
        const failures = healthy ? [] : [{ name: "pay", reason: sickReason("alice-pay") }];
        t.deepEqual(outcome, { ok: healthy, failures }, `killed ${when} write ${nth}`);
        t.deepEqual(platform.engine.serving(), expected, `killed ${when} write ${nth}`);
        for (const service of ["alice-cart", "alice-pay", "alice-mail"]) {
          const current = ledger.currentRelease(service);
          const shown = platform.engine.functions.get(service)?.current;
          t.is(current?.id, shown?.labels?.[labels.release], `${service}, ${when} write ${nth}`);
        }
        t.is(releases("alice-cart").filter((one) => one.endsWith("serving")).length, 1);
      }

      t.true(killed >= 12, `${killed} writes`);
    });

test("a void claim stops before anything is touched", async (t) => {
  const { built, deploy, reclaim, engine, told } = await setUp(t);
  const held = built(functionAt("cart", "1"));
  reclaim(held);

  await t.throwsAsync(deploy(held), { instanceOf: ClaimLost });

  t.deepEqual(engine.switches, []);
  t.deepEqual(told(held), []);
});

test("a claim that is lost while functions switch takes nothing back: the new worker decides", async (t) => {
  const { built, goLive, deploy, reclaim, engine } = await setUp(t);
  await goLive(functionAt("cart", "1"), functionAt("pay", "1"));
  const held = built(functionAt("cart", "2"), functionAt("pay", "2"), functionAt("mail", "2"));
  engine.unhealthy = (deployment) => {
    if (deployment.image.startsWith("pay:2")) reclaim(held);
    return sick("pay:2")(deployment);
  };

  await t.throwsAsync(deploy(held), { instanceOf: ClaimLost });

  t.deepEqual(engine.serving(), {
    "alice-cart": "cart:2",
    "alice-mail": "mail:2",
    "alice-pay": "pay:1",
  });
});
