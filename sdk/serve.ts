import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { type Listen, start, stop } from "#sdk/listen.ts";

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
