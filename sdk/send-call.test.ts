import { createServer, type RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { start, stop } from "./listen.ts";
import { createSendCall } from "./send-call.ts";

async function setUp(t: ExecutionContext, answer: RequestListener) {
  const server = createServer(answer);
  const url = new URL(await start(server, { port: 0, hostname: "127.0.0.1" }));
  t.teardown(() => stop(server, 0));
  return { server, url, send: createSendCall() };
}

const post = { method: "POST", headers: {} };

test("an answer is there as its head is, and its body streams", async (t) => {
  const { url, send } = await setUp(t, async (_, response) => {
    response.writeHead(201, { "content-type": "text/plain", "x-two": ["a", "b"] });
    response.write("first ");
    await sleep(20);
    response.end("second");
  });

  const answer = await send(url, { ...post, body: "{}" });

  t.is(answer.status, 201);
  t.true(answer.ok);
  t.is(answer.headers.get("Content-Type"), "text/plain");
  t.is(answer.headers.get("x-two"), "a, b");
  t.is(answer.headers.get("x-none"), null);
  const chunks = await Array.fromAsync(answer.body ?? [], (chunk) => Buffer.from(chunk).toString());
  t.is(chunks.join(""), "first second");
});

test("calls one after the other share a connection once their answers are read", async (t) => {
  const { server, url, send } = await setUp(t, (request, response) => {
    request.resume().on("end", () => response.end("ok"));
  });
  let connections = 0;
  server.on("connection", () => connections++);

  for (let at = 0; at < 3; at++) await (await send(url, { ...post, body: "x" })).text();

  t.is(connections, 1);
});

test("a connection that nobody uses is closed before its server does it", async (t) => {
  const { server, url, send } = await setUp(t, (request, response) => {
    request.resume().on("end", () => response.end("ok"));
  });
  server.keepAliveTimeout = 3_000;
  const closedByClient = new Promise<boolean>((resolve) => {
    server.on("connection", (socket) => {
      socket.on("end", () => resolve(true)).on("close", () => resolve(false));
    });
  });

  await (await send(url, { ...post, body: "x" })).text();

  t.true(await closedByClient);
});

test("who gives up hears why: before the call, before the answer, and while it is read", async (t) => {
  const { url, send } = await setUp(t, (request, response) => {
    if (request.url === "/begins") response.write("half an ");
  });
  const why = new Error("not needed any more");

  await t.throwsAsync(send(url, { ...post, signal: AbortSignal.abort(why) }), { is: why });
  const stop = new AbortController();
  const silent = send(url, { ...post, signal: stop.signal });
  const half = await send(new URL("/begins", url), { ...post, signal: stop.signal });
  const text = half.text();
  stop.abort(why);

  await t.throwsAsync(silent, { is: why });
  await t.throwsAsync(text, { is: why });
});

test("an answer that breaks off is not a whole one", async (t) => {
  const { url, send } = await setUp(t, (_, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.destroy());
  });

  const answer = await send(url, post);

  await t.throwsAsync(answer.text(), { message: "aborted" });
});

test("nobody there is an error that names the address", async (t) => {
  const { server, url, send } = await setUp(t, () => {});
  await stop(server, 0);

  await t.throwsAsync(send(url, post), { message: `connect ECONNREFUSED ${url.host}` });
});

test("a streamed body that fails is the call's failure, and never looks whole", async (t) => {
  const ended: string[] = [];
  const { url, send } = await setUp(t, (request) => {
    request.on("end", () => ended.push("whole")).on("error", () => ended.push("cut"));
    request.resume();
  });
  const body = ReadableStream.from(
    (async function* () {
      yield Buffer.from("a tar ");
      await sleep(20);
      throw new Error("the mirror is gone");
    })(),
  );

  await t.throwsAsync(send(url, { ...post, body }), { message: "the mirror is gone" });
  while (ended.length === 0) await sleep(5);
  t.deepEqual(ended, ["cut"]);
});

test("an early answer is an answer, and giving up lets the rest of the body go", async (t) => {
  const { url, send } = await setUp(t, (_, response) => void response.writeHead(409).end("stale"));
  const done = new AbortController();
  let cancelled: () => void = () => {};
  const isCancelled = new Promise<void>((resolve) => {
    cancelled = resolve;
  });
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from("endless")),
    cancel: () => cancelled(),
  });

  const answer = await send(url, { ...post, body, signal: done.signal });
  t.is(answer.status, 409);
  t.is(await answer.text(), "stale");
  done.abort();

  await isCancelled;
  t.pass();
});
