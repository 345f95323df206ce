import test, { type ExecutionContext } from "ava";
import {
  buildOf,
  claim,
  deployUp,
  setUp as openLedgerFor,
  plannedFunction,
  planOf,
  push,
  releaseDraft,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { FunctionEndpoints, InventoryItem } from "#provider/provider.ts";
import { labels } from "#sdk/labels.ts";
import { createLog } from "#sdk/log.ts";
import { until } from "../../test/helpers/until.ts";
import { describeEnd } from "./describe-end.ts";
import { followEngine } from "./follow-engine.ts";

const CRASH = "crash loop: replica alice-cart-1f2e3d4c exited with code 7";
const gaveWay = { from: { release: "release-2", fence: 2 }, reason: CRASH };
const SAID = `failure: cart serves 0000001 again after a ${CRASH}`;

test("a change of endpoints is enough for the ledger to hear that a release gave way, and for the source to be told", async (t) => {
  const { start, serve, statuses, engine, told } = setUp(t);
  serve(1);
  const build = serve(2);
  await start();

  engine.serves({ release: "release-1", fence: 3 }, { switchedBack: gaveWay });

  await until(() => told.length > 0);
  t.deepEqual(statuses(build), { "stack-deploy": SAID, cart: SAID });
});

test("what happened while the platform was away is recorded before it goes on", async (t) => {
  const { start, serve, statuses, engine } = setUp(t);
  serve(1);
  const build = serve(2);
  engine.serves({ release: "release-1", fence: 3 }, { switchedBack: gaveWay });

  await start();

  t.deepEqual(statuses(build), { "stack-deploy": SAID, cart: SAID });
});

test("a build that is still deploying has its say first, and is corrected after it", async (t) => {
  const { start, begin, end, statuses, engine, ledger } = setUp(t);
  end(begin(1));
  const held = begin(2);
  await start();
  engine.serves({ release: "release-1", fence: 3 }, { switchedBack: gaveWay });
  await until(() => engine.asked > 3);
  const meanwhile = ledger.currentRelease("alice-cart")?.id;

  end(held);

  await until(() => statuses(held.build).cart === SAID);
  t.is(meanwhile, "release-2");
  t.is(ledger.currentRelease("alice-cart")?.id, "release-1");
});

test("a newer build that left the function as it was says so too", async (t) => {
  const { start, serve, keep, statuses, engine, ledger } = setUp(t);
  const first = serve(1);
  const second = serve(2);
  const third = keep(3);
  engine.serves({ release: "release-1", fence: 3 }, { switchedBack: gaveWay });

  await start();

  t.is(statuses(second).cart, SAID);
  t.is(statuses(third).cart, SAID);
  t.is(`failure: ${describeEnd(ledger, third)}`, SAID);
  t.is(statuses(first).cart, "success: deployed");
  t.is(describeEnd(ledger, first), "");
});

test("a crash loop with nothing to go back to is told, and is no news while it lasts", async (t) => {
  const { start, serve, statuses, engine, ledger, told } = setUp(t);
  const build = serve(1);
  await start();

  engine.serves({ release: "release-1", fence: 1 }, { crashLoop: CRASH });

  const said = `failure: cart is in a ${CRASH}`;
  await until(() => told.length > 0);
  t.deepEqual(statuses(build), { "stack-deploy": said, cart: said });
  t.is(`failure: ${describeEnd(ledger, build)}`, said);
  const { asked } = engine;
  await until(() => engine.asked > asked + 2);
  t.is(told.length, 1);
  t.is(ledger.currentRelease("alice-cart")?.id, "release-1");
});

test("an engine whose records are older than the ledger is believed about what serves", async (t) => {
  const { start, serve, statuses, engine } = setUp(t);
  serve(1);
  const build = serve(2);
  engine.serves({ release: "release-1", fence: 1 });

  await start();

  t.is(
    statuses(build).cart,
    "failure: cart serves 0000001 again because the engine lost what came after it",
  );
});

test("a ledger that cannot be written now hears of it later", async (t) => {
  const { start, serve, statuses, engine, ledger } = setUp(t);
  serve(1);
  const build = serve(2);
  let isFull = true;
  engine.serves({ release: "release-1", fence: 3 }, { switchedBack: gaveWay });
  await start({
    ...ledger,
    recordSwitchBack(back) {
      if (isFull) throw new Error("database or disk is full");
      return ledger.recordSwitchBack(back);
    },
  });
  const before = statuses(build).cart;

  isFull = false;

  await until(() => statuses(build).cart === SAID);
  t.is(before, "success: deployed");
});

/** A ledger, and an engine that serves `alice-cart` as the test says. */
function setUp(t: ExecutionContext) {
  const { ledger } = openLedgerFor(t);
  const engine = createInventory();
  const told: string[] = [];

  return { ledger, engine, told, begin, end, serve, keep, statuses, start };

  /** A build that has switched to its release. */
  function begin(number: number) {
    const held = plan(number);
    const draft = releaseDraft("alice-cart", `release-${number}`);
    const deployment = { ...draft.deployment, labels: { [labels.gitSha]: shaOf(number) } };
    ledger.declareRelease(held, { ...draft, deployment });
    ledger.markRelease(`release-${number}`, "alice-cart", "serving");
    return held;
  }

  function plan(number: number) {
    const held = claim(ledger, buildOf(ledger.acceptPush(push({ sha: shaOf(number) }))));
    deployUp(ledger, held, planOf(plannedFunction("cart")));
    return held;
  }

  function end(held: ReturnType<typeof claim>): Build {
    const success = { state: "success", description: "deployed", targetUrl: "" } as const;
    const both = ["stack-deploy", "cart"].map((context) => ({ ...success, context }));
    ledger.endBuild(held, "live", "", both);
    return ledger.findBuild(held.build.id) ?? held.build;
  }

  function serve(number: number): Build {
    return end(begin(number));
  }

  function keep(number: number): Build {
    return end(plan(number));
  }

  function statuses({ repositoryId, sha }: Build): Record<string, string> {
    const wanted = ledger.listStatuses(repositoryId, sha);
    return Object.fromEntries(
      wanted.map(({ context, state, description }) => [context, `${state}: ${description}`]),
    );
  }

  async function start(on = ledger): Promise<void> {
    const urls = { gateway: "http://gateway/", pretty: "", dashboard: "" };
    const log = createLog(() => {});
    const sendDue = async () => told.push("due");
    t.teardown(await followEngine({ ledger: on, engine, urls, sendDue, log, intervalMs: 20 }));
  }
}

/** What an engine says it serves. */
function createInventory() {
  let items: InventoryItem[] = [];
  let changed: (change: FunctionEndpoints) => void = () => {};
  const engine = {
    asked: 0,
    async inventory() {
      engine.asked++;
      return items;
    },
    watchEndpoints(listener: (change: FunctionEndpoints) => void) {
      changed = listener;
      return () => {};
    },
    serves(
      current: InventoryItem["current"],
      because: Pick<InventoryItem, "switchedBack" | "crashLoop"> = {},
    ): void {
      const name = "alice-cart";
      const status = {
        name,
        namespace: "openfaas-fn",
        image: "image",
        replicas: 1,
        availableReplicas: 1,
        invocationCount: 0,
        createdAt: new Date(0).toISOString(),
        labels: {},
        annotations: {},
      };
      items = [{ name, current, status, ...because }];
      changed({ name, namespace: "openfaas-fn", endpoints: [], replicas: 1 });
    },
  };
  return engine;
}
