import type { IncomingMessage, ServerResponse } from "node:http";

/** One request being served. */
export type Call = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborts with `"deadline"` or `"gone"` (the client). */
  readonly signal: AbortSignal;
  /** Since the request came, as `X-Duration-Seconds` writes it. */
  seconds(): string;
};

/** What a mode does with a call; resolves when the answer is written. */
export type Invoke = (call: Call) => Promise<void>;

/** Begin a call with its deadline: `exec_timeout`, or a shorter `X-Timeout` of the caller. */
export function beginCall(
  request: IncomingMessage,
  response: ServerResponse,
  deadlineMs: number | undefined,
): Call {
  const start = performance.now();
  const ending = new AbortController();
  const timer =
    deadlineMs === undefined ? undefined : setTimeout(() => ending.abort("deadline"), deadlineMs);
  response.once("close", () => {
    clearTimeout(timer);
    if (!response.writableFinished) ending.abort("gone");
  });
  return {
    request,
    response,
    signal: ending.signal,
    seconds: () => ((performance.now() - start) / 1_000).toFixed(6),
  };
}

/** Answer once; a connection that is gone or answered already is left alone. */
export function answer(
  { response }: Call,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = "",
): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}
