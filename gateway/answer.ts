import type { IncomingMessage, ServerResponse } from "node:http";
import type { Call } from "./call.ts";

/** How long the rest of an unwanted body may still come after the answer, so that the answer is read. */
const LINGER_MS = 5_000;

/** Answer in the platform's own name, as OpenFaaS's standard error helper does. */
export function answerText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(text);
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    "Content-Length": body.length,
    ...(status >= 400 ? { "X-OpenFaaS-Internal": "gateway" } : {}),
    ...headers,
  });
  response.end(body);
  if (!response.req.complete) linger(response.req);
}

/** `answerText` that tells the call id and start time too. */
export function answerCall(call: Call, status: number, text: string): void {
  answerText(call.response, status, text, {
    "X-Call-Id": call.callId,
    "X-Start-Time": call.startTime,
  });
}

/** 404, the same bytes whether the function never was or is not the caller's to see. */
export function answerNoSuchFunction(call: Call, service: string): void {
  answerCall(call, 404, `No such function: ${service}.\n`);
}

/** 503 while nothing is known of any function, so that no retrying worker takes it for a 404. */
export function answerNotLoaded(call: Call): void {
  answerCall(call, 503, "The functions are not known yet; try again in a moment.\n");
}

export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": body.length,
  });
  response.end(body);
}

/** Let the rest of a body drain away unread for a moment, then cut the connection. */
export function linger(request: IncomingMessage): void {
  const cut = setTimeout(() => request.socket.destroy(), LINGER_MS);
  cut.unref();
  request.once("end", () => clearTimeout(cut));
  request.once("close", () => clearTimeout(cut));
}
