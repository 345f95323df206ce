import { createServer } from "node:http";
import test, { type ExecutionContext } from "ava";
import { alice } from "#ledger/test-support/set-up.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { createNonceMemory, verifyCall } from "#sdk/internal-signature.ts";
import { start, stop } from "#sdk/listen.ts";
import type { BuildLine } from "#sdk/messages.ts";
import type { CallAnswer } from "#sdk/send-call.ts";
import { linesOf, startPlatformServer, successOf } from "../../test/helpers/platform-server.ts";
import { until } from "../../test/helpers/until.ts";
import { createHandler } from "./handler.ts";
import { functionAt, openBuilds } from "./testing/set-up.ts";
import type { Tools } from "./tools.ts";

const cart = functionAt("cart", "1");

/** The room over HTTP, a builder, and a build that is planned. */
async function setUp(t: ExecutionContext, changed: Partial<Tools> = {}) {
  const platform = await startPlatformServer(t);
  const { ledger, plan } = openBuilds(t);
  const held = plan(cart);
  const kept: { query: string; entry: Record<string, string> }[] = [];
  platform.functions["pipeline-log"] = async (request) => {
    kept.push({
      query: new URL(request.url).search,
      entry: (await request.json()) as Record<string, string>,
    });
    return new Response("kept");
  };
  const tools: Tools = {
    ledger,
    gateway: platform.gateway,
    builderUrl: platform.url,
    fetch,
    key: platform.key,
    now: () => 7,
    ...changed,
  };
  platform.functions.buildshiprun = createHandler(tools);
  const headers = { "x-build-id": held.build.id, "x-epoch": `${held.epoch}`, "x-function": "cart" };

  return {
    platform,
    ledger,
    kept,
    tools,
    build: (context: ReadableStream<Uint8Array> | string = "context", signal?: AbortSignal) =>
      platform.gateway.call("buildshiprun", context, {
        headers,
        ...(typeof context === "string" ? {} : { contentKey: cart.key }),
        ...(signal ? { signal } : {}),
      }),
    artifact: () => ledger.findArtifact(alice.id, cart.key),
    logged: (event: string) => platform.lines.filter((line) => line.event === event),
  };
}

async function linesIn(response: CallAnswer): Promise<BuildLine[]> {
  const text = await response.text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

test("the builder's lines are passed on, the artifact is recorded and the log kept", async (t) => {
  const { build, artifact, kept } = await setUp(t);

  const response = await build();

  t.is(response.headers.get("content-type"), "application/x-ndjson");
  const success = successOf("context");
  t.deepEqual(await linesIn(response), [{ log: ["npm ci"], status: "in_progress" }, success]);
  t.deepEqual(artifact(), {
    ownerId: alice.id,
    key: cart.key,
    digest: success.digest ?? "",
    image: cart.image,
    sizeBytes: 7,
    createdAt: 7,
  });
  t.is(kept.length, 1);
  t.like(kept[0]?.entry, { RepoPath: "alice/shop", Function: "cart", Data: "npm ci" });
});

test("the builder is called with the build's key and owner, both signed", async (t) => {
  const { platform, build } = await setUp(t);
  let called = new Headers();
  platform.build = async (request) => {
    called = request.headers;
    verifyCall(
      { method: "POST", path: "/build", headers: called },
      [platform.key],
      createNonceMemory(),
    );
    return linesOf(successOf(new Uint8Array(await request.arrayBuffer())));
  };

  await linesIn(await build());

  t.is(called.get("x-content-key"), cart.key);
  t.is(called.get("x-owner-id"), alice.id);
  t.is(called.get("accept"), "application/x-ndjson");
});

test("a context streams through: the builder's first line is back before the last byte has left", async (t) => {
  const { platform, build } = await setUp(t);
  const parts: string[] = [];
  platform.build = (request) =>
    new Response(
      ReadableStream.from(
        (async function* () {
          for await (const part of request.body ?? []) {
            parts.push(Buffer.from(part).toString());
            yield Buffer.from(`{"log":["got ${parts.join("")}"],"status":"in_progress"}\n`);
          }
          yield Buffer.from(`${JSON.stringify(successOf(parts.join("")))}\n`);
        })(),
      ),
    );
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();

  const answering = build(readable);
  await writer.write(Buffer.from("first"));
  const reader = (await answering).body?.pipeThrough(new TextDecoderStream()).getReader();
  const first = await reader?.read();
  t.is(first?.value, '{"log":["got first"],"status":"in_progress"}\n');
  await writer.write(Buffer.from(" last"));
  await writer.close();

  const rest: string[] = [];
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read())
    rest.push(next.value);
  t.true(rest.join("").includes('"status":"success"'));
  t.is(parts.join(""), "first last");
});

test("whoever reads success may rely on the artifact and the log", async (t) => {
  const order: string[] = [];
  const { platform, ledger, build, tools } = await setUp(t);
  const watched: Ledger = {
    ...ledger,
    recordArtifact(artifact) {
      order.push("recorded");
      return ledger.recordArtifact(artifact);
    },
  };
  platform.functions.buildshiprun = createHandler({ ...tools, ledger: watched });
  platform.functions["pipeline-log"] = async () => {
    order.push("kept");
    return new Response("kept");
  };

  const response = await build();
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? [])
    if (chunk.includes("success")) order.push("answered");

  t.deepEqual(order, ["recorded", "kept", "answered"]);
});

test("a build that failed is passed on with its reason, leaves no artifact, and keeps its log", async (t) => {
  const { platform, build, artifact, kept } = await setUp(t);
  const lines: BuildLine[] = [
    { log: ["npm error 404 left-pad"], status: "in_progress" },
    { status: "failed", error: "npm ci ended with 1" },
  ];
  platform.build = () => linesOf(...lines);

  const response = await build();

  t.deepEqual(await linesIn(response), lines);
  t.is(artifact(), undefined);
  t.is(kept[0]?.entry.Data, "npm error 404 left-pad");
});

for (const [what, answer] of [
  [
    "could not go on through no fault of the context",
    () => linesOf({ status: "failed", error: "The builder is stopping", retryable: true }),
  ],
  ["ends without a result", () => linesOf({ log: ["npm ci"], status: "in_progress" })],
  ["is empty", () => new Response("")],
  ["is not made of lines", () => new Response('{"log":["npm ci"],"status":"in_progress"}\n<html>')],
  ["is a success without a digest", () => linesOf({ log: ["npm ci"], status: "success" })],
] as const)
  test(`an answer of the builder that ${what} is no result: the build is not blamed, and told why`, async (t) => {
    const { platform, build, artifact, kept, logged } = await setUp(t);
    platform.build = answer;

    const lines = await linesIn(await build());

    t.deepEqual([...new Set(lines.map(({ status }) => status))], ["in_progress"]);
    t.regex(lines.at(-1)?.log?.[0] ?? "", /^the builder broke off: /);
    t.is(artifact(), undefined);
    t.is(logged("builder-broke-off").length, 1);
    t.regex(kept[0]?.entry.Data ?? "", /the builder broke off: /);
  });

test("a builder that is killed while it answers is no result either", async (t) => {
  const builder = createServer((_, response) => {
    response.write('{"log":["npm ci"],"status":"in_progress"}\n');
  });
  const builderUrl = `${await start(builder, { port: 0, hostname: "127.0.0.1" })}/`;
  const { build, kept } = await setUp(t, { builderUrl });

  const response = await build();
  await stop(builder, 0);

  t.deepEqual(
    (await linesIn(response)).map(({ status }) => status),
    ["in_progress", "in_progress"],
  );
  t.regex(kept[0]?.entry.Data ?? "", /^npm ci\nthe builder broke off: /);
});

for (const status of [401, 413, 429, 500])
  test(`a builder that answers ${status} is a 502 that says what it said`, async (t) => {
    const { platform, build, kept } = await setUp(t);
    platform.build = () => new Response("no room here", { status });

    const response = await build();

    t.is(response.status, 502);
    t.deepEqual(await response.json(), {
      code: "builder-refused",
      message: `The builder answered ${status}: no room here`,
    });
    t.is(kept.length, 0);
  });

test("a builder that cannot be reached is a 503, and one that hangs up too", async (t) => {
  const server = createServer((request) => request.socket.destroy());
  const builderUrl = `${await start(server, { port: 0, hostname: "127.0.0.1" })}/`;
  const { build } = await setUp(t, { builderUrl });

  const hungUp = await build();
  await stop(server, 0);
  const gone = await build();

  for (const response of [hungUp, gone]) {
    t.is(response.status, 503);
    t.like(await response.json(), { code: "builder-unreachable" });
  }
});

for (const [what, pipelineLog] of [
  ["refuses it", async () => new Response("no", { status: 500 })],
  ["is gone", undefined],
] as const)
  test(`a log that is lost because pipeline-log ${what} does not fail the build`, async (t) => {
    const { platform, build, artifact, logged } = await setUp(t);
    if (pipelineLog === undefined) delete platform.functions["pipeline-log"];
    else platform.functions["pipeline-log"] = pipelineLog;

    const lines = await linesIn(await build());

    t.is(lines.at(-1)?.status, "success");
    t.not(artifact(), undefined);
    t.is(logged("build-log-lost").length, 1);
  });

test("a caller who goes away ends the builder's work, whether it had begun to answer or not", async (t) => {
  const { platform, build, artifact } = await setUp(t);
  let called = 0;
  let aborted = 0;
  let answered = false;
  const hang = (request: Request) => {
    called += 1;
    request.signal.addEventListener("abort", () => {
      aborted += 1;
    });
    return new Promise<never>(() => {});
  };
  platform.build = (request) => {
    if (!answered) return hang(request);
    const lines = async function* () {
      yield Buffer.from('{"log":["npm ci"],"status":"in_progress"}\n');
      await hang(request);
    };
    return new Response(ReadableStream.from(lines()));
  };

  for (answered of [false, true]) {
    const caller = new AbortController();
    const before = aborted;
    const answering = build("context", caller.signal);
    if (answered) await (await answering).body?.getReader().read();
    await until(() => called > before);
    caller.abort();
    if (!answered) await t.throwsAsync(answering);
    await until(() => aborted > before);
  }

  t.is(aborted, 2);
  t.is(artifact(), undefined);
});

for (const [what, headers, status, code] of [
  ["a build that is not known", { "x-build-id": "none" }, 404, "no-such-build"],
  ["no epoch", { "x-epoch": "" }, 400, "bad-epoch"],
  ["an epoch that is no number", { "x-epoch": "1e3" }, 400, "bad-epoch"],
  ["a function that is not planned", { "x-function": "pay" }, 400, "not-planned"],
] as const)
  test(`a call for ${what} is ${status}`, async (t) => {
    const { ledger, tools, platform } = await setUp(t);
    const [build] = ledger.listBuilds({ limit: 1 });
    const known = { "x-build-id": build?.id ?? "", "x-epoch": "1", "x-function": "cart" };
    platform.functions.buildshiprun = createHandler(tools);

    const response = await platform.gateway.call("buildshiprun", "context", {
      headers: { ...known, ...headers },
    });

    t.is(response.status, status);
    t.like(await response.json(), { code });
  });

test("a switch under a claim that is void is 409: the caller has to stop", async (t) => {
  const { ledger, platform } = await setUp(t);
  const [build] = ledger.listBuilds({ limit: 1 });
  ledger.voidLeases();

  const response = await platform.gateway.call("buildshiprun", "", {
    headers: { "x-build-id": build?.id ?? "", "x-epoch": "1" },
  });

  t.is(response.status, 409);
  t.like(await response.json(), { code: "claim-lost" });
});
