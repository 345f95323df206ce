import { Agent } from "undici";
import { lookupPublic } from "./callback-address.ts";
import type { Reached } from "./decide-outcome.ts";
import type { StoredCallback } from "./stored-callback.ts";

export type CallbackSettings = { readonly allowPrivate: boolean; readonly timeoutMs: number };

export type CallbackSender = {
  /** One POST to the callback's URL. Rejects when nobody answered, or the address is private. */
  post(callback: StoredCallback, signal: AbortSignal): Promise<Reached>;
  close(): Promise<void>;
};

/** Sockets connect only to addresses that were checked, and redirects are not followed. */
export function createCallbackSender(settings: CallbackSettings): CallbackSender {
  const { allowPrivate, timeoutMs } = settings;
  const agent = new Agent({ connect: allowPrivate ? {} : { lookup: lookupPublic } });

  return {
    async post(callback, signal) {
      const { origin, pathname, search } = new URL(callback.url);
      const { statusCode, headers, body } = await agent.request({
        origin,
        path: `${pathname}${search}`,
        method: "POST",
        headers: headersOf(callback),
        body: Buffer.from(callback.body, "base64"),
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      await body.dump();
      const asked = headers["retry-after"];
      return {
        reached: true,
        status: statusCode,
        retryAfter: Array.isArray(asked) ? asked[0] : asked,
      };
    },
    close: () => agent.destroy(),
  };
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
