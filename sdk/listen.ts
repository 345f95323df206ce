import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** A TCP port (0 picks a free one) or the path of a Unix socket, which is made 0600. */
export type Listen =
  | { readonly port: number; readonly hostname: string }
  | { readonly socketPath: string };

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

/** Stop accepting, close idle connections, and cut what is left, upgraded ones too, after `drainMs`. */
export async function stop(server: Server, drainMs: number): Promise<void> {
  const open = connections.get(server) ?? new Set();
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of open) socket.destroy();
    }, drainMs);
    // A connection that a client keeps becomes idle again with each answer.
    const idle = setInterval(closeIdle, 20);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(idle);
      resolve();
    });
    closeIdle();
  });

  /** Node waits for the first request of a connection on which nothing was sent yet: browsers keep such in reserve. */
  function closeIdle(): void {
    server.closeIdleConnections();
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  }
}
