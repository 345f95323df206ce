import { join } from "node:path";
import { answerRequests, type Handler } from "#sdk/answer.ts";
import type { Log } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";

const ROOMS = ["provider", "builder", "functions", "queue", "forge", "admin"] as const;

/** `unix:<run folder>/<room>.sock` of each room that this process serves. */
export type SocketUrls = Readonly<Record<(typeof ROOMS)[number], string>>;

export function socketUrls(runFolder: string): SocketUrls {
  const url = (room: string) => `unix:${join(runFolder, `${room}.sock`)}`;
  return Object.fromEntries(ROOMS.map((room) => [room, url(room)])) as SocketUrls;
}

/** Serve a room on its Unix socket; the returned function stops it. */
export async function serveRoom(
  url: string,
  handler: Handler,
  log: Log,
): Promise<() => Promise<void>> {
  const served = await serve(answerRequests(handler, log), {
    socketPath: url.slice("unix:".length),
  });
  return () => served.close(500);
}
