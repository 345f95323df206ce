import { once } from "node:events";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Agent, fetch as undiciFetch } from "undici";
import { until } from "../test/helpers/until.ts";
import { serve } from "./serve.ts";

const anyPort = { port: 0, hostname: "127.0.0.1" } as const;

async function setUp(t: ExecutionContext, handle: (request: Request) => Promise<Response>) {
  const served = await serve(handle, anyPort);
  t.teardown(() => served.close(0));
  return served;
}

async function socketIn(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "serve-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return join(folder, "room.sock");
}

test("port 0 is a free one, and the URL names it", async (t) => {
  const one = await setUp(t, async () => new Response("one"));
  const two = await setUp(t, async () => new Response("two"));

  t.regex(one.url, /^http:\/\/127\.0\.0\.1:\d{2,5}$/);
  t.is(await (await fetch(one.url)).text(), "one");
  t.is(await (await fetch(two.url)).text(), "two");
});

test("a port in use rejects", async (t) => {
  const { url } = await setUp(t, async () => new Response());

  const again = serve(async () => new Response(), { ...anyPort, port: Number(new URL(url).port) });

  await t.throwsAsync(again, { code: "EADDRINUSE" });
});

test("a Unix socket is open to its owner alone and replaces what a crash left", async (t) => {
  const socketPath = await socketIn(t);
  await writeFile(socketPath, "left behind");

  const served = await serve(async (request) => new Response(new URL(request.url).pathname), {
    socketPath,
  });
  t.teardown(() => served.close(0));

  t.is(served.url, `unix:${socketPath}`);
  t.is(((await stat(socketPath)).mode & 0o777).toString(8), "600");
  const dispatcher = new Agent({ connect: { socketPath } });
  t.teardown(() => dispatcher.close());
  t.is(await (await undiciFetch("http://room/a/b", { dispatcher })).text(), "/a/b");
});

test("bodies stream both ways: each chunk is answered before the next is sent", async (t) => {
  const { url } = await setUp(t, async (request) => new Response(request.body));
  const client = httpRequest(url, { method: "POST" });
  client.write("first");
  const response = await new Promise<IncomingMessage>((resolve) =>
    client.once("response", resolve),
  );
  const chunks = response[Symbol.asyncIterator]();

  t.is(String((await chunks.next()).value), "first");
  client.write("second");
  t.is(String((await chunks.next()).value), "second");
  client.end();

  t.true((await chunks.next()).done);
});

test("a client that goes away while it waits aborts the request's signal", async (t) => {
  let entered = false;
  let aborted = false;
  const { url } = await setUp(t, async ({ signal }) => {
    entered = true;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    aborted = true;
    return new Response();
  });
  const { hostname, port } = new URL(url);
  const client = connect(Number(port), hostname);
  client.write("GET / HTTP/1.1\r\nhost: room\r\n\r\n");

  await until(() => entered);
  client.destroy();

  t.true(await until(() => aborted));
});

test("a client that goes away while it reads ends the body's source", async (t) => {
  let ended = false;
  const { url } = await setUp(t, async () => {
    const body = ReadableStream.from(
      (async function* () {
        try {
          for (;;) {
            yield new Uint8Array(1_000);
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        } finally {
          ended = true;
        }
      })(),
    );
    return new Response(body);
  });
  const leave = new AbortController();
  const response = await fetch(url, { signal: leave.signal });
  await response.body?.getReader().read();

  leave.abort();

  t.true(await until(() => ended));
});

test("closing lets a request under way finish, takes no new one, and does not wait for idle connections", async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const entered: string[] = [];
  const { url, close } = await setUp(t, async (request) => {
    entered.push(new URL(request.url).pathname);
    if (request.url.endsWith("/slow")) await held;
    return new Response("done");
  });
  await (await fetch(`${url}/idle`)).text();
  const slow = fetch(`${url}/slow`);
  await until(() => entered.includes("/slow"));

  const began = performance.now();
  const closed = close(5_000);
  await t.throwsAsync(fetch(`${url}/late`));
  release();

  t.is(await (await slow).text(), "done");
  await closed;
  t.true(performance.now() - began < 3_000, "it waited for a connection that a client keeps");
  t.deepEqual(entered, ["/idle", "/slow"]);
});

test("closing does not wait for a connection on which nothing was ever sent", async (t) => {
  const { url, close } = await setUp(t, async () => new Response("ok"));
  const { hostname, port } = new URL(url);
  const silent = connect(Number(port), hostname);
  const closed = once(silent, "close");
  await once(silent, "connect");
  await fetch(url).then((response) => response.text());

  await close(170_000);

  await t.notThrowsAsync(closed);
});

test("closing cuts what has not finished in time", async (t) => {
  let entered = 0;
  const { url, close } = await setUp(t, () => {
    entered += 1;
    return new Promise(() => {});
  });
  const stuck = t.throwsAsync(fetch(url));
  const { hostname, port } = new URL(url);
  const silent = connect(Number(port), hostname);
  silent.on("error", () => {});
  silent.write("POST / HTTP/1.1\r\nhost: room\r\ncontent-length: 5\r\n\r\n");
  await until(() => entered === 2);

  const began = performance.now();
  await close(100);

  t.true(performance.now() - began >= 95);
  await stuck;
});

test("a handler that throws is a 500 without its message, and the server goes on", async (t) => {
  const { url } = await setUp(t, async (request) => {
    if (request.url.endsWith("/bad")) throw new Error("password=hunter2");
    return new Response("well");
  });

  const bad = await fetch(`${url}/bad`);

  t.is(bad.status, 500);
  t.false((await bad.text()).includes("hunter2"));
  t.is(await (await fetch(url)).text(), "well");
});
