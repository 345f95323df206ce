import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "./config.ts";

/** Listen and return the address. Not `#sdk/serve.ts`: its web server would double the time to start. */
export async function listen(server: Server, address: Config["listen"]): Promise<string> {
  if ("socketPath" in address) await rm(address.socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if ("socketPath" in address) server.listen(address.socketPath, resolve);
    else server.listen(address.port, address.hostname, resolve);
  });
  if ("socketPath" in address) {
    await chmod(address.socketPath, 0o600);
    return `unix:${address.socketPath}`;
  }
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  return `http://127.0.0.1:${port}`;
}

/** Take nothing new, finish what runs, and cut what is left after `drainMs`: `upgraded` is no longer the server's. */
export async function drain(
  server: Server,
  drainMs: number,
  upgraded: ReadonlySet<Socket> = new Set(),
): Promise<void> {
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    }, drainMs);
    // Clients keep a connection after its answer; nothing new comes on it.
    const tidy = setInterval(() => server.closeIdleConnections(), 10);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(tidy);
      resolve();
    });
  });
}
