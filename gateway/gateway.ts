import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { describe } from "#sdk/errors.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import { start, stop } from "#sdk/listen.ts";
import type { Log } from "#sdk/log.ts";
import { answerText } from "./answer.ts";
import { createBasicAuth } from "./basic-auth.ts";
import { createCall } from "./call.ts";
import type { Config } from "./config.ts";
import { decideRoute } from "./decide-route.ts";
import { hostNames } from "./decide-side.ts";
import { EndpointTable } from "./endpoint-table.ts";
import { createFollowRoute } from "./follow-route.ts";
import { createVerifyInternal } from "./internal-call.ts";
import { readTarget } from "./read-target.ts";
import { closeRooms, openRooms } from "./rooms.ts";
import { createWaker } from "./waker.ts";
import { watchEndpoints } from "./watch-endpoints.ts";

// An import would read every export of node:http, and so load the WebSocket client behind one of them: 6 MB.
const http = process.getBuiltinModule("node:http");

const NO_CONNECT =
  "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

export type GatewayTools = {
  readonly config: Config;
  readonly user: string;
  readonly password: string;
  readonly payloadKeys: readonly PayloadKey[];
  readonly log: Log;
};

export type Gateway = {
  /** Every function's replicas and counters. */
  readonly table: EndpointTable;
  /** Listens, and returns `http://host:port`. */
  listen(): Promise<string>;
  /** Take nothing new, let requests in flight finish for at most `drainMs`, then cut. */
  close(drainMs: number): Promise<void>;
};

/** The only TCP door of the platform: decides by host, then path, and passes the bytes on. */
export function createGateway(tools: GatewayTools): Gateway {
  const { config, log } = tools;
  const names = hostNames(config.rootDomain, config.gatewayNames);
  const rooms = openRooms(config);
  const table = new EndpointTable(config, log);
  const basicAuth = createBasicAuth(tools.user, tools.password);
  const watch = watchEndpoints({
    table,
    provider: rooms.provider,
    authorization: basicAuth.header,
    silenceMs: config.endpointsSilenceMs,
    log,
  });
  const waker = createWaker(rooms.provider, basicAuth.header, log);
  const follow = createFollowRoute({
    config,
    rooms,
    table,
    waker,
    basicAuth,
    verifyInternal: createVerifyInternal(tools.payloadKeys),
    isReady: watch.isFresh,
    log,
  });
  const server = http.createServer(
    {
      headersTimeout: config.readTimeoutMs,
      // Bodies have a limit of their own on silence, not on length (request-body.ts).
      requestTimeout: 0,
      keepAliveTimeout: 65_000,
      noDelay: true,
      shouldUpgradeCallback: (request) => /^websocket$/i.test(request.headers.upgrade ?? ""),
    },
    (request, response) => answer(request, response),
  );
  server.on("checkContinue", (request, response) => answer(request, response));
  server.on("connect", (_request, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(NO_CONNECT, () => socket.destroy());
  });
  server.on("error", (error) => log.error("gateway-server-failed", { error: describe(error) }));
  server.on("upgrade", (request, socket: Socket, head) => upgrade(request, socket, head));

  return {
    table,
    listen: () => start(server, { port: config.port, hostname: config.host }),
    async close(drainMs) {
      waker.close();
      await watch.close();
      await stop(server, drainMs);
      await closeRooms(rooms);
      await Promise.all(
        table.all().flatMap(({ replicas }) => replicas.map(({ pool }) => pool.destroy())),
      );
    },
  };

  function upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // Node's own listener leaves with the parser; `close` follows and ends whatever the socket was for.
    socket.on("error", () => socket.destroy());
    const response = new http.ServerResponse(request);
    response.shouldKeepAlive = false;
    try {
      response.assignSocket(socket);
    } catch {
      // An earlier request on this connection is not answered yet; no client may switch protocols then.
      socket.destroy();
      return;
    }
    response.once("finish", () => socket.destroySoon());
    answer(request, response, head);
  }

  function answer(request: IncomingMessage, response: ServerResponse, head?: Buffer): void {
    const target = readTarget(request);
    if (target === undefined) {
      answerText(response, 400, "400 Bad Request\n");
      return;
    }
    const call = createCall(request, response, target);
    follow(call, decideRoute(request.method ?? "", call.path, call.host, names), head);
  }
}
