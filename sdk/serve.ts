import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";

/** A TCP port (0 picks a free one) or the path of a Unix socket, which is made 0600. */
export type Listen =
  | { readonly port: number; readonly hostname: string }
  | { readonly socketPath: string };

export type Served = {
  /** `http://127.0.0.1:8080`, or `unix:/path`. */
  readonly url: string;
  readonly server: Server;
  /** Take nothing new, end idle connections, wait at most `drainMs` for the rest. */
  close(drainMs?: number): Promise<void>;
};

/** Serve a web handler; request and response bodies stream, and a gone client aborts `request.signal`. */
export async function serve(
  fetch: (request: Request) => Promise<Response> | Response,
  listen: Listen,
): Promise<Served> {
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server;
  server.requestTimeout = 0;
  const url = await start(server, listen);
  return { url, server, close: (drainMs = 5_000) => stop(server, drainMs) };
}

/** Open connections of each server, upgraded ones included, which Node's own list leaves out. */
const connections = new WeakMap<Server, Set<Socket>>();

/** Listen and return the address as a URL; a stale Unix socket file is replaced. */
export async function start(server: Server, listen: Listen): Promise<string> {
  const open = new Set<Socket>();
  connections.set(server, open);
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  if ("socketPath" in listen) await rm(listen.socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(
      "socketPath" in listen
        ? { path: listen.socketPath }
        : { port: listen.port, host: listen.hostname },
      () => {
        server.off("error", reject);
        resolve();
      },
    );
  });
  if ("socketPath" in listen) {
    await chmod(listen.socketPath, 0o600);
    return `unix:${listen.socketPath}`;
  }
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : listen.port;
  return `http://${listen.hostname}:${port}`;
}

/** Stop accepting, close idle connections, and cut what is left after `drainMs`. */
export async function stop(server: Server, drainMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of connections.get(server) ?? []) socket.destroy();
    }, drainMs);
    // A connection that a client keeps becomes idle again with each answer.
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(idle);
      resolve();
    });
    server.closeIdleConnections();
  });
}
