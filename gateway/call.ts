import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

/** One request on its way through the gateway. */
export type Call = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As the client wrote it, with its port. */
  readonly host: string;
  /** Path and query in origin form, never decoded. */
  readonly path: string;
  /** The client's `X-Call-Id` when it is printable and at most 128 characters, else a new UUID. */
  readonly callId: string;
  /** Unix nanoseconds, decimal. */
  readonly startTime: string;
};

export function createCall(
  request: IncomingMessage,
  response: ServerResponse,
  { host, path }: { readonly host: string; readonly path: string },
): Call {
  const given = request.headers["x-call-id"];
  return {
    request,
    response,
    host,
    path,
    callId: typeof given === "string" && /^[!-~]{1,128}$/.test(given) ? given : randomUUID(),
    startTime: unixNanoseconds(),
  };
}

function unixNanoseconds(): string {
  const microseconds = Math.round((performance.timeOrigin + performance.now()) * 1_000);
  return `${microseconds}000`;
}
