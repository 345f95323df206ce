import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createHttpClient } from "#sdk/http-client.ts";

export type CallBody = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

/** What was answered; its body can be read once, in one of the ways. A `Response` is one. */
export type CallAnswer = Pick<Response, "status" | "ok" | "body" | "text" | "json"> & {
  readonly headers: Pick<Headers, "get">;
};

/** Make one call and wait until an answer begins. Rejects when there is none, or with the signal's reason. */
export type SendCall = (
  url: URL,
  call: {
    readonly method: string;
    /** By their names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: CallBody;
    readonly signal?: AbortSignal;
  },
) => Promise<CallAnswer>;

/** Calls over connections that are kept. */
export function createSendCall(): SendCall {
  const client = createHttpClient();
  return (url, { signal, ...call }) =>
    orReason(signal, async () => {
      signal?.throwIfAborted();
      const path = `${url.pathname}${url.search}`;
      const message = await client.send(url, { ...call, path, ...(signal && { signal }) });
      return toAnswer(message, signal);
    });
}

function toAnswer(message: IncomingMessage, signal: AbortSignal | undefined): CallAnswer {
  const status = message.statusCode ?? 0;
  const text = () => orReason(signal, async () => (await buffer(message)).toString("utf8"));
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: { get: (name) => message.headersDistinct[name.toLowerCase()]?.join(", ") ?? null },
    get body() {
      return Readable.toWeb(message) as ReadableStream<Uint8Array<ArrayBuffer>>;
    },
    text,
    json: async () => JSON.parse(await text()),
  };
}

/** Who gave up hears why, as from `fetch`. */
async function orReason<T>(signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
