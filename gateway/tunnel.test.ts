import { createHash, randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import test from "ava";
import { WebSocket } from "undici";
import { dial, type Listening, setUp, until } from "./test-kit.ts";

/** Let a replica accept WebSockets (RFC 6455 section 4.2.2) and hand the raw connection to `opened`. */
function acceptUpgrades(replica: Listening, opened: (socket: Duplex) => void): void {
  replica.server.on("upgrade", (request, socket: Duplex) => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    socket.resume();
    opened(socket);
  });
}

/** Frames from a client are masked; echo them unmasked (section 5.2, payloads under 126 bytes). */
function echoFrames(socket: Duplex): void {
  socket.on("data", (frame: Buffer) => {
    const length = (frame[1] ?? 0) & 0x7f;
    const mask = frame.subarray(2, 6);
    const payload = frame.subarray(6, 6 + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0));
    socket.write(Buffer.concat([Buffer.from([frame[0] ?? 0, length]), payload]));
    // A close frame, answered: the server hangs up first (section 7.1.1).
    if (((frame[0] ?? 0) & 0x0f) === 0x8) socket.end();
  });
}

const HANDSHAKE = [
  "GET /function/chat/room?id=1 HTTP/1.1",
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  "\r\n",
].join("\r\n");

test("a WebSocket client talks to a function through the gateway", async (t) => {
  const { port, serve, gateway } = await setUp(t);
  const replica = await serve("chat", (_request, response) => response.end());
  acceptUpgrades(replica, echoFrames);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/function/chat`);

  await new Promise((resolve) => socket.addEventListener("open", resolve));
  const echoed = new Promise((resolve) =>
    socket.addEventListener("message", ({ data }) => resolve(data)),
  );
  socket.send("hello");

  t.is(await echoed, "hello");
  t.is(gateway.table.find("chat")?.counters.inFlight, 1);
  t.is(gateway.table.find("chat")?.replicas[0]?.inFlight, 1);
  socket.close();
  await until(() => gateway.table.find("chat")?.replicas[0]?.inFlight === 0);
  t.deepEqual([...(gateway.table.find("chat")?.counters.completed ?? [])], [[101, 1]]);
});

test("bytes right behind the handshake reach the function, with path and call id", async (t) => {
  const { port, serve } = await setUp(t);
  const replica = await serve("chat", (_request, response) => response.end());
  let url = "";
  replica.server.on("upgrade", (request) => {
    url = `${request.url} ${typeof request.headers["x-call-id"]}`;
  });
  acceptUpgrades(replica, (socket) => socket.pipe(socket));
  const { socket, text } = dial(port);

  socket.write(`${HANDSHAKE}early`);

  await until(() => text().endsWith("\r\n\r\nearly"));
  t.is(url, "/room?id=1 string");
  t.regex(text(), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  t.regex(text(), /\r\nX-Call-Id: /);
  t.is(text().match(/^upgrade: websocket/gim)?.length, 1);
  socket.destroy();
});

for (const side of ["client", "function"] as const) {
  test(`a WebSocket closed by the ${side} is closed on the other side`, async (t) => {
    const { port, serve } = await setUp(t);
    const replica = await serve("chat", (_request, response) => response.end());
    let upstream: Duplex | undefined;
    acceptUpgrades(replica, (socket) => {
      upstream = socket;
    });
    const { socket, text } = dial(port);
    let isClosed = false;
    socket.on("close", () => {
      isClosed = true;
    });
    socket.write(HANDSHAKE);
    await until(() => text().includes("101") && upstream !== undefined);

    if (side === "client") socket.destroy();
    else upstream?.destroy();

    await until(() => isClosed && upstream?.destroyed === true);
    t.pass();
  });
}

test("a function that refuses the upgrade has its answer passed on", async (t) => {
  const { port, serve } = await setUp(t);
  const replica = await serve("chat", (_request, response) => response.end());
  replica.server.on("upgrade", (_request, socket: Duplex) => {
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-Why: no\r\n\r\nnope");
  });
  const { socket, text } = dial(port);
  let isClosed = false;
  socket.on("close", () => {
    isClosed = true;
  });

  socket.write(HANDSHAKE);

  await until(() => isClosed);
  t.regex(text(), /^HTTP\/1\.1 403 Forbidden\r\n.*X-Why: no\r\n.*nope$/s);
});

test("an upgrade to nothing is 404, and one to a room is an ordinary request", async (t) => {
  const { port, provider } = await setUp(t);
  provider.system = (request, response) => response.end(`health ${request.headers.upgrade}`);
  const missing = dial(port);
  const room = dial(port);

  missing.socket.write(HANDSHAKE);
  room.socket.write(HANDSHAKE.replace("/function/chat/room?id=1", "/healthz"));

  await until(() => missing.text().includes("No such function: chat.\n"));
  await until(() => room.text().includes("health undefined"));
  t.regex(missing.text(), /^HTTP\/1\.1 404 /);
  t.regex(room.text(), /^HTTP\/1\.1 200 /);
});

test("a WebSocket request waits for a replica like any other", async (t) => {
  const { port, provider, gateway, listen } = await setUp(t);
  const replica = await listen((_request, response) => response.end());
  acceptUpgrades(replica, (socket) => socket.pipe(socket));
  provider.tell({ name: "chat", replicas: 1 });
  await until(() => gateway.table.find("chat") !== undefined);
  const { socket, text } = dial(port);

  socket.write(HANDSHAKE);
  await until(() => gateway.table.find("chat")?.waiters.size === 1);
  provider.tell({ name: "chat", endpoints: [replica.url], replicas: 1 });

  await until(() => text().includes("101 Switching Protocols"));
  socket.destroy();
  t.pass();
});

test("an upgrade sent before an earlier answer cuts that connection alone", async (t) => {
  const { port, url, serve } = await setUp(t);
  await serve("chat", () => {
    // Never answers.
  });
  const { socket } = dial(port);
  let isClosed = false;
  socket.on("close", () => {
    isClosed = true;
  });

  socket.write(`GET /function/chat HTTP/1.1\r\nHost: localhost\r\n\r\n${HANDSHAKE}`);

  await until(() => isClosed);
  t.is((await fetch(`${url}/ready`)).status, 200);
});

test("a CONNECT whose client resets leaves the gateway standing", async (t) => {
  const { port, url } = await setUp(t);

  for (let round = 0; round < 20; round++) {
    const { socket } = dial(port);
    socket.write("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", () => socket.resetAndDestroy());
  }

  await until(async () => (await fetch(`${url}/ready`)).status === 200);
  t.pass();
});
