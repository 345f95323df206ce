import { once } from "node:events";
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as sendHttp,
} from "node:http";
import { Agent as HttpsAgent, request as sendHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";

/** How sockets find their way; the address in the URL when nothing is said. */
export type Connect = { readonly socketPath?: string; readonly lookup?: LookupFunction };

type Sent = {
  readonly method: string;
  /** Path and query, sent as they are. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array>;
  /** The only limit on the time until the answer's end. */
  readonly signal?: AbortSignal;
};

/**
 * How long a connection without a call is kept, unless its server says less: the gateway closes it after 65 s,
 * and a call that met that would fail.
 */
const IDLE_MS = 60_000;

export type HttpClient = {
  /** The answer, its body unread; redirects are answers. Rejects when nobody answered. */
  send(origin: URL, sent: Sent): Promise<IncomingMessage>;
  close(): void;
};

/**
 * Node's own client with connections that are kept. `fetch` takes the process three times as long for a
 * call, and undici beside it 6 MB of memory.
 */
export function createHttpClient(connect: Connect = {}): HttpClient {
  const kept = { keepAlive: true, timeout: IDLE_MS };
  const http = new HttpAgent(kept);
  const https = new HttpsAgent(kept);
  return {
    async send(origin, { body, headers, ...rest }) {
      const options = { ...connect, ...rest, headers: { ...headers, ...lengthOf(body) } };
      const request =
        origin.protocol === "https:"
          ? sendHttps(origin, { ...options, agent: https })
          : sendHttp(origin, { ...options, agent: http });
      const answered = once(request, "response");
      // What breaks after the answer began is told to the answer's reader.
      request.on("error", nothing);
      if (body instanceof ReadableStream) stream(body, request);
      else request.end(body);
      const [response]: IncomingMessage[] = await answered;
      if (response === undefined) throw new Error("There was no answer");
      return response;
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

/** Node sends no length with a DELETE, whose body is lost then. */
function lengthOf(body: Sent["body"]): Record<string, string> {
  if (body === undefined || body instanceof ReadableStream) return {};
  return { "content-length": String(Buffer.byteLength(body)) };
}

/** `pipeline` would tell of a body that fails as a connection that hung up. */
function stream(body: ReadableStream<Uint8Array>, request: ClientRequest): void {
  const source = Readable.fromWeb(body);
  source.on("error", (error) => request.destroy(error));
  request.on("close", () => source.destroy());
  source.pipe(request);
}

function nothing(): void {}
