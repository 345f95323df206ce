import { once } from "node:events";
import { Agent as HttpAgent, type IncomingMessage, request as sendHttp } from "node:http";
import { Agent as HttpsAgent, request as sendHttps } from "node:https";
import type { LookupFunction } from "node:net";

/** How sockets find their way; the address in the URL when nothing is said. */
export type Connect = { readonly socketPath?: string; readonly lookup?: LookupFunction };

type Sent = {
  readonly method: string;
  /** Path and query, sent as they are. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The only limit on the time until the answer's end. */
  readonly signal: AbortSignal;
};

export type HttpClient = {
  /** The answer, its body unread; redirects are answers. Rejects when nobody answered. */
  send(origin: URL, sent: Sent): Promise<IncomingMessage>;
  close(): void;
};

/** Node's own client with connections that are kept: undici beside it would cost the process 6 MB. */
export function createHttpClient(connect: Connect = {}): HttpClient {
  const http = new HttpAgent({ keepAlive: true });
  const https = new HttpsAgent({ keepAlive: true });
  return {
    async send(origin, { body, ...rest }) {
      const options = { ...connect, ...rest };
      const request =
        origin.protocol === "https:"
          ? sendHttps(origin, { ...options, agent: https })
          : sendHttp(origin, { ...options, agent: http });
      const answered = once(request, "response");
      // What breaks after the answer began is told to the answer's reader.
      request.on("error", nothing);
      request.end(body);
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

function nothing(): void {}
