import { mkdtemp, rm } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect, createServer as createNetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutionContext } from "ava";
import type { FunctionEndpoints } from "#provider/provider.ts";
import type { Env } from "#sdk/env.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import { start, stop } from "#sdk/listen.ts";
import { createLog } from "#sdk/log.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { type RoomName, readConfig } from "./config.ts";
import { createGateway, type Gateway } from "./gateway.ts";

export const PAYLOAD_KEY: PayloadKey = { id: "1", secret: "a-payload-secret" };
export const ADMIN = `Basic ${Buffer.from("admin:password").toString("base64")}`;

export type Listening = {
  /** `unix:/path`. */
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
};

/** The provider's `/endpoints`, told by the test; `/system/…` goes to `system`. */
export type ToldProvider = {
  system: RequestListener;
  readonly functions: Map<string, FunctionEndpoints>;
  /** Set one function and tell every watcher. */
  tell(
    known: Partial<FunctionEndpoints> & { readonly name: string; readonly owner?: string },
  ): void;
  /** Forget a function as a removal does. */
  forget(name: string): void;
  /** Say nothing more, not even heartbeats, on the streams that are open now. */
  fallSilent(): void;
  /** Cut the streams that are open now. */
  cut(): void;
  readonly watchers: ReadonlySet<ServerResponse>;
};

export type Kit = {
  readonly gateway: Gateway;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly port: number;
  readonly provider: ToldProvider;
  /** Log lines so far. */
  readonly lines: string[];
  /** A server on a Unix socket of its own. */
  listen(handler: RequestListener): Promise<Listening>;
  /** A replica that speaks bytes rather than HTTP. */
  listenRaw(handler: (socket: Socket) => void): Promise<string>;
  /** A function with one replica. */
  serve(
    name: string,
    handler: RequestListener,
    extra?: { readonly owner?: string },
  ): Promise<Listening>;
  /** Let a room answer. */
  room(name: Exclude<RoomName, "provider">, handler: RequestListener): Promise<Listening>;
};

/** A real gateway on port 0 before a provider that the test tells what to say. */
export async function setUp(t: ExecutionContext, env: Env = {}): Promise<Kit> {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  const lines: string[] = [];
  const provider = tellingProvider();
  const opened: Listening[] = [];
  const open = async (file: string, handler: RequestListener): Promise<Listening> => {
    const listening = await listenAt(join(folder, file), handler);
    opened.push(listening);
    return listening;
  };

  await open("provider.sock", provider.handle);
  const gateway = createGateway({
    config: readConfig({ ...environment(folder), ...env }),
    user: "admin",
    password: "password",
    payloadKeys: [PAYLOAD_KEY],
    log: createLog((line) => lines.push(line)),
  });
  const url = await gateway.listen();
  t.teardown(async () => {
    await gateway.close(100);
    await Promise.all(opened.map((listening) => listening.close()));
    await rm(folder, { recursive: true, force: true });
  });
  await until(async () => (await fetch(`${url}/ready`)).status === 200);

  let count = 0;
  const listen = (handler: RequestListener): Promise<Listening> =>
    open(`r${++count}.sock`, handler);
  return {
    gateway,
    url,
    port: Number(new URL(url).port),
    provider,
    lines,
    listen,
    async listenRaw(handler) {
      const path = join(folder, `raw${++count}.sock`);
      const server = createNetServer(handler);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      t.teardown(() => server.close());
      return `unix:${path}`;
    },
    room: (name, handler) => open(`${name}.sock`, handler),
    async serve(name, handler, extra = {}) {
      const replica = await listen(handler);
      provider.tell({ name, endpoints: [replica.url], replicas: 1, ...extra });
      await until(() => gateway.table.find(name)?.replicas.length === 1);
      return replica;
    },
  };
}

function environment(folder: string): Env {
  return {
    port: "0",
    functions_provider_url: `unix:${folder}/provider.sock`,
    queue_url: `unix:${folder}/queue.sock`,
    forge_url: `unix:${folder}/forge.sock`,
    builder_url: `unix:${folder}/builder.sock`,
    system_functions_url: `unix:${folder}/functions.sock`,
  };
}

async function listenAt(socketPath: string, handler: RequestListener): Promise<Listening> {
  const server = createServer(handler);
  const url = await start(server, { socketPath });
  return { url, server, close: () => stop(server, 0) };
}

function tellingProvider(): ToldProvider & { readonly handle: RequestListener } {
  const watchers = new Set<ServerResponse>();
  const silent = new Set<ServerResponse>();
  const functions = new Map<string, FunctionEndpoints>();
  const write = (line: unknown): void => {
    for (const watcher of watchers) {
      if (!silent.has(watcher)) watcher.write(`${JSON.stringify(line)}\n`);
    }
  };
  const told: ToldProvider = {
    system: (_request, response) => response.writeHead(404).end(),
    functions,
    watchers,
    tell(known) {
      const whole = { namespace: FUNCTION_NAMESPACE, endpoints: [], replicas: 0, ...known };
      functions.set(known.name, whole);
      write({ v: 1, change: whole });
    },
    forget(name) {
      functions.delete(name);
      write({ v: 1, change: { name, namespace: FUNCTION_NAMESPACE, endpoints: [], replicas: 0 } });
    },
    fallSilent() {
      for (const watcher of watchers) silent.add(watcher);
    },
    cut() {
      for (const watcher of watchers) watcher.destroy();
    },
  };
  const watch = (response: ServerResponse): void => {
    watchers.add(response);
    const heartbeat = setInterval(() => {
      if (!silent.has(response)) response.write('{"v":1}\n');
    }, 100);
    response.once("close", () => {
      watchers.delete(response);
      clearInterval(heartbeat);
    });
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    response.write(`${JSON.stringify({ v: 1, all: [...functions.values()] })}\n`);
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === "/endpoints") watch(response);
    else told.system(request, response);
  };
  return Object.assign(told, { handle });
}

/** Poll until it holds; throws after the deadline. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Did not come true in ${deadlineMs} ms: ${holds}`);
    await sleep(5);
  }
}

/** Bytes to a TCP port and everything that comes back until the other side closes or `enough` matches. */
export async function talk(port: number, bytes: string, enough = /$^/): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("latin1");
  let text = "";
  socket.write(bytes, "latin1");
  try {
    for await (const chunk of socket) {
      text += String(chunk);
      if (enough.test(text)) break;
    }
  } catch (error) {
    text += `[${error instanceof Error ? error.message : String(error)}]`;
  } finally {
    socket.destroy();
  }
  return text;
}

/** An open connection that collects what it is told. */
export function dial(port: number): { readonly socket: Socket; text(): string } {
  const socket = connect(port, "127.0.0.1");
  socket.setEncoding("latin1");
  let text = "";
  socket.on("data", (chunk) => {
    text += String(chunk);
  });
  socket.on("error", () => {
    // A reset is one of the ways in which a connection under test may end; `close` follows.
  });
  return { socket, text: () => text };
}

export async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("latin1");
}
