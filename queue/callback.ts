import { createHttpClient } from "#sdk/http-client.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import { lookupPublic } from "./callback-address.ts";
import type { Reached } from "./decide-outcome.ts";
import type { StoredCallback } from "./stored-callback.ts";

/** Where a callback's answer is longer, the connection is closed instead. */
const DRAINED_BYTES = 128 * 1_024;

export type CallbackSettings = { readonly allowPrivate: boolean; readonly timeoutMs: number };

export type CallbackSender = {
  /** One POST to the callback's URL. Rejects when nobody answered, or the address is private. */
  post(callback: StoredCallback, signal: AbortSignal): Promise<Reached>;
  close(): void;
};

/** Sockets connect only to addresses that were checked, and redirects are not followed. */
export function createCallbackSender(settings: CallbackSettings): CallbackSender {
  const { allowPrivate, timeoutMs } = settings;
  const client = createHttpClient(allowPrivate ? {} : { lookup: lookupPublic });

  return {
    async post(callback, signal) {
      const url = new URL(callback.url);
      const response = await client.send(url, {
        method: "POST",
        path: `${url.pathname}${url.search}`,
        headers: headersOf(callback),
        body: Buffer.from(callback.body, "base64"),
        signal: withDeadline(timeoutMs, signal),
      });
      await drain(response);
      return {
        reached: true,
        status: response.statusCode ?? 0,
        retryAfter: response.headers["retry-after"],
      };
    },
    close: () => client.close(),
  };
}

/** The answer's body says nothing; a short one is read, so that the connection serves again. */
async function drain(response: AsyncIterable<Uint8Array>): Promise<void> {
  let left = DRAINED_BYTES;
  for await (const chunk of response) {
    left -= chunk.length;
    if (left < 0) return;
  }
}

function headersOf(callback: StoredCallback): Record<string, string> {
  const { contentType, leftOutBytes } = callback;
  return {
    ...(contentType === undefined ? {} : { "content-type": contentType }),
    ...(leftOutBytes === undefined ? {} : { "x-body-left-out-bytes": String(leftOutBytes) }),
    "x-call-id": callback.callId,
    "x-duration-seconds": (callback.durationMs / 1_000).toFixed(6),
    "x-function-status": String(callback.status),
    "x-function-name": callback.function,
    "x-retry": String(callback.retries),
    "x-retry-max": String(callback.retriesLimit),
  };
}
