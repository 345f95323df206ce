import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { dial, setUp, talk, until } from "./test-kit.ts";

const GARBAGE: readonly (readonly [what: string, bytes: string])[] = [
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.6\r\n"],
  [
    "two lengths that differ",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  ],
  [
    "a length and chunks",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
  ],
  ["a header that breaks lines", "HTTP/1.1 200 OK\r\nX-A: b\u0000c\r\nContent-Length: 0\r\n\r\n"],
  [
    "an upgrade that nobody asked for",
    "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
  ],
  ["headers over 16 KiB", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`],
  ["nothing, and a closed connection", ""],
];

for (const [what, bytes] of GARBAGE) {
  test(`a function that answers with ${what} is 502, and the gateway lives on`, async (t) => {
    const { url, provider, gateway, listenRaw } = await setUp(t);
    const endpoint = await listenRaw((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () => socket.end(bytes, "latin1"));
    });
    provider.tell({ name: "odd", endpoints: [endpoint], replicas: 1 });
    await until(() => gateway.table.find("odd") !== undefined);

    const response = await fetch(`${url}/function/odd`);

    t.is(response.status, 502);
    t.is((await fetch(`${url}/ready`)).status, 200);
  });
}

test("more bytes than an answer promised never reach another client", async (t) => {
  const { url, provider, gateway, listenRaw } = await setUp(t);
  const endpoint = await listenRaw((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", () => {
      socket.write(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
      );
    });
  });
  provider.tell({ name: "odd", endpoints: [endpoint], replicas: 1 });
  await until(() => gateway.table.find("odd") !== undefined);

  for (let round = 0; round < 20; round++) {
    const response = await fetch(`${url}/function/odd`);
    if (response.status === 200) t.is(await response.text(), "ok");
    else t.is(response.status, 502);
  }
});

for (const [what, head] of [
  [
    "a large upload",
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999\r\n\r\nabc",
  ],
  [
    "a small upload",
    "POST /function/cart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
  ],
  [
    "a WebSocket request",
    "GET /function/cart HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  ],
] as const) {
  test(`a client that leaves while ${what} waits for a replica is forgotten`, async (t) => {
    const { port, url, provider, gateway } = await setUp(t);
    provider.tell({ name: "cart", replicas: 1 });
    await until(() => gateway.table.find("cart") !== undefined);
    const { socket } = dial(port);
    socket.write(head);
    await until(() => gateway.table.find("cart")?.waiters.size === 1);

    socket.resetAndDestroy();

    await until(() => gateway.table.find("cart")?.waiters.size === 0);
    t.deepEqual([...(gateway.table.find("cart")?.counters.completed ?? [])], [[499, 1]]);
    t.is((await fetch(`${url}/ready`)).status, 200);
  });
}

test("a burst over a replica's backlog loses no request", async (t) => {
  const { url, provider, gateway } = await setUp(t);
  const folder = await mkdtemp(join(tmpdir(), "ofc-backlog-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "http.sock");
  const program = join(folder, "server.mjs");
  await writeFile(
    program,
    `import { createServer } from "node:http";
     const server = createServer((_request, response) => response.end("served"));
     server.listen({ path: ${JSON.stringify(path)}, backlog: 2 }, () => process.send("listening"));
     process.on("message", () => {
       process.send("busy");
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
     });`,
  );
  const replica = fork(program);
  t.teardown(() => replica.kill("SIGKILL"));
  await once(replica, "message");
  provider.tell({ name: "cart", endpoints: [`unix:${path}`], replicas: 1 });
  await until(() => gateway.table.find("cart") !== undefined);

  replica.send("be busy");
  await once(replica, "message");
  const burst = Array.from({ length: 200 }, () => fetch(`${url}/function/cart`));

  for (const response of await Promise.all(burst)) t.is(await response.text(), "served");
});

test("a stop lets a request in flight finish, refuses new ones, and cuts what outlasts the deadline", async (t) => {
  const { port, url, gateway, serve } = await setUp(t);
  let finish = (): void => {};
  await serve("quick", (_request, response) => {
    response.write("begun ");
    finish = () => response.end("and ended");
  });
  await serve("endless", (_request, response) => {
    response.write("begun");
  });
  const quick = await fetch(`${url}/function/quick`);
  const endless = await fetch(`${url}/function/endless`);

  const closing = gateway.close(400);
  finish();

  t.is(await quick.text(), "begun and ended");
  t.regex(await talk(port, "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"), /ECONNREFUSED/);
  await t.throwsAsync(endless.text());
  await closing;
});
