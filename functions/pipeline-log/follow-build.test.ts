import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { openLedger } from "#ledger/ledger.ts";
import {
  buildOf,
  claim,
  setUp as openLedgerFor,
  plannedFunction,
  planOf,
  push,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { answerRequests } from "#sdk/answer.ts";
import { silentLog } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { createFileObjects } from "#sdk/object-store.ts";
import { serve } from "#sdk/serve.ts";
import { until } from "../../test/helpers/until.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";

const ended: BuildEvent = {
  v: 1,
  at: 3,
  type: "ended",
  state: "live",
  reason: "1 function deployed",
  ms: 850,
  urls: [],
};
const fetched: BuildEvent = { v: 1, at: 1, type: "fetched", ms: 12 };
const line: BuildEvent = { v: 1, at: 2, type: "log", name: "cart", text: "npm ci" };

/** The room over HTTP, a ledger, and one accepted build. */
async function setUp(t: ExecutionContext, env: Readonly<Record<string, string>> = {}) {
  const place = openLedgerFor(t);
  // Time passes here: signs of life and waits are about it.
  const ledger = openLedger({ path: place.path });
  t.teardown(() => ledger.close());
  let watching = 0;
  const handler = createHandler({
    config: readConfig({ pipeline_log_heartbeat: "10s", ...env }),
    ledger: {
      ...ledger,
      watch: (buildId, changed) => {
        watching += 1;
        const unwatch = ledger.watch(buildId, changed);
        return () => {
          watching -= 1;
          unwatch();
        };
      },
    },
    objects: createFileObjects(`${place.path}-objects`),
  });
  const served = await serve(answerRequests(handler, silentLog), {
    port: 0,
    hostname: "127.0.0.1",
  });
  t.teardown(() => served.close(0));
  const build = buildOf(ledger.acceptPush(push({ deliveryKey: "forge:d1" })));
  const get = (query: string, signal?: AbortSignal) =>
    fetch(`${served.url}/pipeline-log?${query}`, signal ? { signal } : {});
  return { ledger, build, get, url: served.url, watching: () => watching };
}

/** Lines as they come. */
async function* eventsOf(response: Response): AsyncGenerator<BuildEvent> {
  let rest = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) yield JSON.parse(text) as BuildEvent;
  }
}

async function all(response: Response): Promise<BuildEvent[]> {
  const events: BuildEvent[] = [];
  for await (const event of eventsOf(response)) events.push(event);
  return events;
}

test("a follower hears what was, each event as it comes, and the end", async (t) => {
  const { ledger, build, get } = await setUp(t);
  ledger.addEvent(build.id, fetched);

  const response = await get("delivery=forge:d1&follow=true");
  const events = eventsOf(response);
  const first = await events.next();
  const lags: number[] = [];
  for (const event of [line, line, ended]) {
    const before = performance.now();
    ledger.addEvent(build.id, event);
    t.deepEqual((await events.next()).value, event);
    lags.push(performance.now() - before);
  }

  t.is(response.headers.get("content-type"), "application/x-ndjson");
  t.deepEqual(first.value, fetched);
  t.true((await events.next()).done);
  // Far below the second after which the ledger is looked at unasked, also on a busy machine.
  t.true(Math.min(...lags) < 400, `lags: ${lags}`);
});

test("many events at once come complete, in order, to several followers", async (t) => {
  const { ledger, build, get } = await setUp(t);
  const followers = [get(`build=${build.id}&follow=true`), get(`build=${build.id}&follow=true`)];
  const told = Promise.all(followers.map(async (one) => all(await one)));

  for (let at = 0; at < 300; at += 1) {
    ledger.addEvent(build.id, { v: 1, at, type: "log", name: "cart", text: "x".repeat(200) });
    if (at % 50 === 0) await sleep(1);
  }
  ledger.addEvent(build.id, ended);

  for (const events of await told) {
    t.deepEqual(
      events.map(({ at }) => at),
      [...Array(300).keys(), 3],
    );
  }
});

test("without follow the answer ends with what there is", async (t) => {
  const { ledger, build, get } = await setUp(t);
  ledger.addEvent(build.id, fetched);

  t.deepEqual(await all(await get(`build=${build.id}`)), [fetched]);
});

test("a quiet build gives signs of life that say where it is", async (t) => {
  const { ledger, build, get } = await setUp(t, { pipeline_log_heartbeat: "20ms" });

  const events = eventsOf(await get(`build=${build.id}&follow=true`));
  const signs = [(await events.next()).value, (await events.next()).value];
  ledger.addEvent(build.id, ended);
  for await (const event of events) if (event.type === "ended") break;

  for (const sign of signs) t.like(sign, { v: 1, type: "waiting", reason: "waiting for its turn" });
});

test("a build that ends without a last event ends for its followers all the same", async (t) => {
  const { ledger, build, get } = await setUp(t);
  const following = get(`build=${build.id}&follow=true`).then(all);

  ledger.acceptPush(push({ sha: shaOf(2) }));

  const events = await following;
  t.is(events.length, 1);
  t.like(events[0], {
    type: "ended",
    state: "superseded",
    reason: "superseded by 0000002",
    urls: [],
  });
});

for (const [state, fault] of [
  ["failure", undefined],
  ["error", "platform"],
] as const) {
  test(`a failed build whose commit shows ${state} and whose last event was lost is ${fault ?? "the commit"}'s fault`, async (t) => {
    const { ledger, build, get } = await setUp(t);
    const { targetUrl } = push().status;
    const status = { context: "stack-deploy", state, description: "because", targetUrl };
    ledger.endBuild(claim(ledger, build), "failed", "because", [status]);

    const [event] = await all(await get(`build=${build.id}&follow=true`));

    t.like(event, { type: "ended", state: "failed", fault });
  });
}

test("a live build whose last event was lost is told with its URLs", async (t) => {
  const { ledger, build, get } = await setUp(t);
  const held = claim(ledger, build);
  ledger.storePlan(held, planOf(plannedFunction("cart")), []);
  ledger.endBuild(held, "live", "deployed", []);

  const events = await all(await get(`build=${build.id}&follow=true`));

  t.like(events[0], {
    type: "ended",
    state: "live",
    urls: [{ name: "cart", url: "http://127.0.0.1:8080/function/alice-cart" }],
  });
});

for (const [decision, state] of [
  ["skipped", "skipped"],
  ["ignored", "skipped"],
  ["refused", "failed"],
] as const) {
  test(`a delivery that was ${decision} has one thing to say: ${state}, and why`, async (t) => {
    const { ledger, get } = await setUp(t);
    ledger.recordDelivery({
      key: "forge:d2",
      event: "push",
      receivedAt: 5,
      decision,
      reason: "because",
      status: 200,
    });

    t.deepEqual(await all(await get("delivery=forge:d2&follow=true")), [
      { v: 1, at: 5, type: "ended", state, reason: "because", ms: 0, urls: [] },
    ]);
  });
}

test("a delivery that is late is waited for, one that never comes is answered 404", async (t) => {
  const { ledger, get } = await setUp(t, { pipeline_log_delivery_wait: "300ms" });

  const late = get("delivery=forge:late&follow=true").then(all);
  ledger.recordDelivery({
    key: "forge:late",
    event: "push",
    receivedAt: 5,
    decision: "skipped",
    reason: "side branch",
    status: 200,
  });
  const never = await get("delivery=forge:never&follow=true");

  t.like((await late)[0], { type: "ended", reason: "side branch" });
  t.is(never.status, 404);
});

test("another owner's build and one that does not exist are the same answer", async (t) => {
  const { build, get } = await setUp(t);

  const theirs = await get(`build=${build.id}&owner=forge:2`);
  const nobodys = await get("build=nothing&owner=forge:2");
  const own = await get(`build=${build.id}&owner=forge:1`);

  t.deepEqual([theirs.status, await theirs.text()], [nobodys.status, await nobodys.text()]);
  t.is(theirs.status, 404);
  t.is(own.status, 200);
});

test("a follower who goes away is forgotten at once", async (t) => {
  const { build, url, watching } = await setUp(t);
  const client = httpRequest(`${url}/pipeline-log?build=${build.id}&follow=true`);
  client.on("error", () => {}); // It is destroyed on purpose.
  client.end();
  await until(() => watching() === 1);

  client.destroy();

  await until(() => watching() === 0, 900);
  t.is(watching(), 0);
});
