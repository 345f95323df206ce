import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { SYSTEM_FUNCTIONS, SYSTEM_NAMESPACE } from "#sdk/names.ts";
import { answerNoSuchFunction, answerNotLoaded, answerText } from "./answer.ts";
import type { BasicAuth } from "./basic-auth.ts";
import type { Call } from "./call.ts";
import type { Config } from "./config.ts";
import type { BodyLimit, Route } from "./decide-route.ts";
import type { EndpointTable, FunctionEntry } from "./endpoint-table.ts";
import { forward } from "./forward.ts";
import { NOT_FOR_PROVIDER, NOT_FOR_QUEUE } from "./headers.ts";
import type { VerifyInternal } from "./internal-call.ts";
import { invoke } from "./invoke.ts";
import type { Room, Rooms } from "./rooms.ts";
import { listFunctions, tellInfo } from "./system.ts";
import type { Waker } from "./waker.ts";

/** GitHub's largest delivery, and a little for its frame. */
const WEBHOOK_LIMIT_BYTES = 25 * 1_024 ** 2 + 64 * 1_024;

export type FollowTools = {
  readonly config: Config;
  readonly rooms: Rooms;
  readonly table: EndpointTable;
  readonly waker: Waker;
  readonly basicAuth: BasicAuth;
  readonly verifyInternal: VerifyInternal;
  /** Whether the endpoint table is whole and fresh. */
  readonly isReady: () => boolean;
  readonly log: Log;
};

/** Answers a call; `head` is what a WebSocket client sent right behind its request. */
export type FollowRoute = (call: Call, route: Route, head?: Buffer) => void;

/** What each kind of route does. */
export function createFollowRoute(tools: FollowTools): FollowRoute {
  const { config, rooms, table, basicAuth, log } = tools;
  const systemTools = {
    provider: rooms.provider,
    authorization: basicAuth.header,
    table,
    version: { release: config.release, sha: config.sha },
    log,
  };
  const invokeTools = { ...tools, isOperator };
  return follow;

  function follow(call: Call, route: Route, head?: Buffer): void {
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
        if (tools.isReady()) answerText(call.response, 200, "ready\n");
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
    const name = SYSTEM_FUNCTIONS.find((one) => `${one}.${SYSTEM_NAMESPACE}` === service);
    if (name === undefined || !isInternal(call)) {
      answerNoSuchFunction(call, service);
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
    if (isSystem) {
      if (isInternal(call)) pass(call, rooms.queue, config.maxBodyBytes);
      else answerNoSuchFunction(call, service);
      return;
    }
    if (!table.isLoaded) answerNotLoaded(call);
    else queueForUser(call, service, table.find(service));
  }

  /** Whose turn and quota a call takes is the function's owner's, whatever the caller says. */
  function queueForUser(call: Call, service: string, entry: FunctionEntry | undefined): void {
    if (entry === undefined) {
      answerNoSuchFunction(call, service);
      return;
    }
    const extra = entry.owner === undefined ? [] : ["X-Owner-Id", `slug:${entry.owner}`];
    const to = { room: rooms.queue, path: call.path, limitBytes: config.maxBodyBytes };
    forward(call, { ...to, dropped: NOT_FOR_QUEUE, extra }, tools);
  }

  /** The reason of a refusal is for the log alone: outside, a system function does not exist. */
  function isInternal(call: Call): boolean {
    try {
      tools.verifyInternal(call);
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
    if (!isOperator(call)) {
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
        tools,
      );
    }
  }

  function isOperator({ request }: Call): boolean {
    return !config.basicAuth || basicAuth.accepts(request.headers.authorization);
  }

  function pass(call: Call, room: Room, limitBytes: number, path = call.path): void {
    forward(call, { room, path, limitBytes }, tools);
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
