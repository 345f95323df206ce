import { setTimeout as wait } from "node:timers/promises";
import { Agent } from "undici";
import { describe, errorCode } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { lookupPublic, PRIVATE_ADDRESS, refuseCallbackUrl } from "./callback-address.ts";
import type { StoredCall } from "./stored-call.ts";

/** Waits before the second and third try. */
const RETRY_WAITS_MS = [500, 2_000] as const;

/** What a callback is told about a finished call. */
export type CallbackNews = {
  /** What the function answered; 503 when it was never reached. */
  readonly status: number;
  readonly durationMs: number;
  readonly contentType: string | undefined;
  readonly body: Buffer;
};

export type CallbackSettings = { readonly allowPrivate: boolean; readonly timeoutMs: number };

export type Callbacks = {
  /** POST the answer to the call's callback URL, three times at most; never rejects. */
  send(call: StoredCall, news: CallbackNews, log: Log): Promise<void>;
  close(): Promise<void>;
};

/** Sockets connect only to addresses that were checked, and redirects are not followed. */
export function createCallbacks({ allowPrivate, timeoutMs }: CallbackSettings): Callbacks {
  const agent = new Agent({ connect: allowPrivate ? {} : { lookup: lookupPublic } });

  return {
    async send(call, news, log) {
      const url = call.callbackUrl;
      if (url === undefined) return;
      const host = new URL(url).host;
      try {
        const status = await sendWithRetries(url, call, news);
        log.info("callback-sent", { host, status });
      } catch (error) {
        log.warn("callback-failed", { host, error: describe(error) });
      }
    },
    close: () => agent.destroy(),
  };

  async function sendWithRetries(
    url: string,
    call: StoredCall,
    news: CallbackNews,
  ): Promise<number> {
    const why = refuseCallbackUrl(url, allowPrivate);
    if (why !== undefined) throw new Error(why);
    for (const waitMs of RETRY_WAITS_MS) {
      const status = await post(url, call, news).catch((error: unknown) => {
        if (errorCode(error) === PRIVATE_ADDRESS) throw error;
        return undefined;
      });
      if (status !== undefined && status < 500) return status;
      await wait(waitMs);
    }
    return post(url, call, news);
  }

  async function post(url: string, call: StoredCall, news: CallbackNews): Promise<number> {
    const { origin, pathname, search } = new URL(url);
    const response = await agent.request({
      origin,
      path: `${pathname}${search}`,
      method: "POST",
      headers: {
        ...(news.contentType === undefined ? {} : { "content-type": news.contentType }),
        "x-call-id": call.callId,
        "x-duration-seconds": (news.durationMs / 1_000).toFixed(6),
        "x-function-status": String(news.status),
        "x-function-name": call.function,
      },
      body: news.body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body.dump();
    return response.statusCode;
  }
}
