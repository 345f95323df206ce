import { Readable } from "node:stream";
import { describe, errorCode, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { answerCall, linger } from "./answer.ts";
import type { Call } from "./call.ts";
import { Exchange, type ExchangeOwner } from "./exchange.ts";
import { NOT_FOR_ROOMS, toUpstreamHeaders } from "./headers.ts";
import { openBody, type RequestBody } from "./request-body.ts";
import type { Room } from "./rooms.ts";

export type ForwardTools = {
  readonly log: Log;
  readonly config: { readonly readTimeoutMs: number; readonly writeTimeoutMs: number };
};

export type Forwarded = {
  readonly room: Room;
  /** Path and query the room sees. */
  readonly path: string;
  readonly limitBytes: number;
  /** Lower-case names that stay behind. */
  readonly dropped?: ReadonlySet<string>;
  /** Name, value … that the room sees besides the client's. */
  readonly extra?: readonly string[];
};

/** Pass a call on to a room and its answer back, streaming both ways. 502 when the room is not there. */
export function forward(call: Call, to: Forwarded, { log, config }: ForwardTools): void {
  let body: RequestBody = null;
  const owner: ExchangeOwner = { released() {}, failed: (_exchange, error) => fail(error) };
  const exchange = new Exchange(call, owner, config.writeTimeoutMs);
  call.response.on("close", close);
  openBody(call, { idleMs: config.readTimeoutMs, limitBytes: to.limitBytes }, send, fail);

  function send(opened: RequestBody): void {
    body = opened;
    const headers = toUpstreamHeaders(call, to.dropped ?? NOT_FOR_ROOMS);
    if (to.extra !== undefined) headers.push(...to.extra);
    const method = call.request.method ?? "GET";
    to.room.pool.dispatch({ path: to.path, method, headers, body }, exchange);
  }

  function fail(error: Error): void {
    if (error instanceof HttpError) {
      answerCall(call, error.status, `${error.message}\n`);
      return;
    }
    log.error("room-unreachable", {
      to: to.room.name,
      call_id: call.callId,
      error: describe(error),
    });
    if (errorCode(error) === "UND_ERR_HEADERS_TIMEOUT") {
      answerCall(call, 504, `The ${to.room.name} did not answer in time.\n`);
    } else {
      answerCall(call, 502, `The ${to.room.name} cannot be reached; try again in a moment.\n`);
    }
  }

  function close(): void {
    if (!call.request.complete) linger(call.request);
    if (!call.response.writableFinished) exchange.cancel();
    if (body instanceof Readable) body.destroy();
  }
}
