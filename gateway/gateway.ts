import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { describe } from "#sdk/errors.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import { SYSTEM_FUNCTIONS } from "#sdk/names.ts";
import { start } from "#sdk/serve.ts";
import { answerCall, answerText } from "./answer.ts";
import { createBasicAuth } from "./basic-auth.ts";
import { type Call, createCall } from "./call.ts";
import type { Config } from "./config.ts";
import { type BodyLimit, decideRoute, type Route } from "./decide-route.ts";
import { hostNames } from "./decide-side.ts";
import { EndpointTable } from "./endpoint-table.ts";
import { forward } from "./forward.ts";
import { NOT_FOR_PROVIDER } from "./headers.ts";
import { createVerifyInternal } from "./internal-call.ts";
import { invoke } from "./invoke.ts";
import { readTarget } from "./read-target.ts";
import { closeRooms, openRooms, type Room } from "./rooms.ts";
import { listFunctions, tellInfo } from "./system.ts";
import { watchEndpoints } from "./watch-endpoints.ts";

/** GitHub's largest delivery, and a little for its frame. */
const WEBHOOK_LIMIT_BYTES = 25 * 1_024 ** 2 + 64 * 1_024;

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
  const verifyInternal = createVerifyInternal(tools.payloadKeys);
  const invokeTools = { table, log, config };
  const systemTools = {
    provider: rooms.provider,
    authorization: basicAuth.header,
    table,
    version: { release: config.release, sha: config.sha },
    log,
  };
  const watch = watchEndpoints({
    table,
    provider: rooms.provider,
    authorization: basicAuth.header,
    silenceMs: config.endpointsSilenceMs,
    log,
  });
  const tunnels = new Set<Socket>();
  const server = createServer(
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
    socket.end("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  server.on("error", (error) => log.error("gateway-server-failed", { error: describe(error) }));
  server.on("upgrade", (request, socket: Socket, head) => upgrade(request, socket, head));

  return {
    table,
    listen: () => start(server, { port: config.port, hostname: config.host }),
    async close(drainMs) {
      await watch.close();
      await drain(server, tunnels, drainMs);
      await closeRooms(rooms);
      await Promise.all(
        table.all().flatMap(({ replicas }) => replicas.map(({ pool }) => pool.destroy())),
      );
    },
  };

  function upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    tunnels.add(socket);
    // Node's own listener leaves with the parser; `close` follows and ends whatever the socket was for.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => tunnels.delete(socket));
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once("finish", () => socket.end());
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

  function follow(call: Call, route: Route, head: Buffer | undefined): void {
    switch (route.kind) {
      case "function":
        invoke(call, route, invokeTools, head);
        return;
      case "system-function":
        callSystemFunction(call, route.service, route.path);
        return;
      case "async":
        queue(call, route.service, route.isSystem);
        return;
      case "webhook":
        pass(call, rooms.functions, WEBHOOK_LIMIT_BYTES);
        return;
      case "ready":
        if (watch.isFresh()) answerText(call.response, 200, "ready\n");
        else answerText(call.response, 503, "The endpoint table is not fresh.\n");
        return;
      case "room":
        pass(call, rooms[route.room], limitOf(route.body));
        return;
      case "system-list":
      case "system-info":
      case "system-forward":
        administer(call, route.kind);
        return;
      case "refused":
        refuse(call, route);
        return;
    }
  }

  function callSystemFunction(call: Call, service: string, path: string): void {
    const name = SYSTEM_FUNCTIONS.find((one) => `${one}.openfaas-system` === service);
    if (name === undefined || !isInternal(call)) {
      answerCall(call, 404, `No such function: ${service}.\n`);
      return;
    }
    pass(
      call,
      rooms.functions,
      config.maxUploadBytes,
      `/${name}${/^\/(?:$|\?)/.test(path) ? path.slice(1) : path}`,
    );
  }

  function queue(call: Call, service: string, isSystem: boolean): void {
    if (isSystem ? isInternal(call) : table.find(service) !== undefined) {
      pass(call, rooms.queue, config.maxBodyBytes);
    } else {
      answerCall(call, 404, `No such function: ${service}.\n`);
    }
  }

  /** The reason of a refusal is for the log alone: outside, a system function does not exist. */
  function isInternal(call: Call): boolean {
    try {
      verifyInternal(call);
      return true;
    } catch (error) {
      log.warn("internal-call-refused", {
        path: call.path,
        call_id: call.callId,
        error: describe(error),
      });
      return false;
    }
  }

  function administer(call: Call, kind: "system-list" | "system-info" | "system-forward"): void {
    if (config.basicAuth && !basicAuth.accepts(call.request.headers.authorization)) {
      answerText(call.response, 401, "invalid credentials", {
        "WWW-Authenticate": 'Basic realm="Restricted"',
      });
      return;
    }
    if (kind === "system-list") void listFunctions(call, systemTools);
    else if (kind === "system-info") void tellInfo(call, systemTools);
    else {
      forward(
        call,
        {
          room: rooms.provider,
          path: call.path,
          limitBytes: config.maxBodyBytes,
          dropped: NOT_FOR_PROVIDER,
          extra: ["Authorization", basicAuth.header],
        },
        { log, config },
      );
    }
  }

  function pass(call: Call, room: Room, limitBytes: number, path = call.path): void {
    forward(call, { room, path, limitBytes }, { log, config });
  }

  function limitOf(body: BodyLimit): number {
    return body === "upload" ? config.maxUploadBytes : config.maxBodyBytes;
  }
}

function refuse({ response }: Call, { status, allow }: Extract<Route, { kind: "refused" }>): void {
  if (status === 404) answerText(response, 404, "404 page not found\n");
  else if (status === 405) answerText(response, 405, "", { Allow: allow ?? "" });
  else answerText(response, 400, "Provide function name in the request path\n");
}

/** Connections that fall idle are closed as they do; what is left at the deadline is cut. */
async function drain(server: Server, tunnels: ReadonlySet<Socket>, drainMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const cut = setTimeout(() => {
      server.closeAllConnections();
      for (const socket of tunnels) socket.destroy();
    }, drainMs);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
