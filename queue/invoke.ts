import { type Connect, createHttpClient } from "#sdk/http-client.ts";
import { contentKeyOf, type PayloadKey, signCall } from "#sdk/internal-signature.ts";
import type { Reached } from "./decide-outcome.ts";
import { formatDelivery, queueOf, type StoredCall } from "./stored-call.ts";

/** What a function answered. */
export type Answer = Reached & {
  readonly contentType: string | undefined;
  /** At most as long as was asked for. */
  readonly body: Buffer;
};

export type Invoker = {
  /**
   * Make one attempt through the gateway and read the answer to its end, keeping at most `keepBytes` of it.
   * Rejects when the function was not reached or the answer broke off.
   */
  invoke(call: StoredCall, keepBytes: number, signal: AbortSignal): Promise<Answer>;
  close(): void;
};

/** `gatewayUrl` is `http://…` or `unix:/path`. Only the caller's signal bounds the time of an attempt. */
export function createInvoker(gatewayUrl: string, payloadKey: PayloadKey): Invoker {
  const { origin, ...connect } = parseGatewayUrl(gatewayUrl);
  const client = createHttpClient(connect);

  return {
    async invoke(call, keepBytes, signal) {
      const body = Buffer.from(call.body, "base64");
      const path = formatDelivery(call);
      const headers = Object.fromEntries(headersOf(call, path, body, payloadKey));
      const response = await client.send(origin, {
        method: call.method,
        path,
        headers,
        body,
        signal,
      });
      return {
        reached: true,
        status: response.statusCode ?? 0,
        contentType: response.headers["content-type"],
        retryAfter: response.headers["retry-after"],
        body: await keep(response, keepBytes),
      };
    },
    close: () => client.close(),
  };
}

/** A Unix socket still needs a host name, and the gateway decides by it: `localhost` is the machines' side. */
function parseGatewayUrl(url: string): Connect & { readonly origin: URL } {
  return url.startsWith("unix:")
    ? { origin: new URL("http://localhost"), socketPath: url.slice("unix:".length) }
    : { origin: new URL(url) };
}

/** Calls of the platform's own functions are signed anew, so that waiting never makes them too old. */
function headersOf(call: StoredCall, path: string, body: Buffer, key: PayloadKey): Headers {
  const headers = new Headers(call.headers);
  headers.set("x-call-id", call.callId);
  if (queueOf(call.namespace) === "invocations") return headers;
  headers.set("x-owner-id", call.ownerId);
  headers.set("x-content-key", contentKeyOf(body));
  headers.set("x-cloud-signature", signCall({ method: call.method, path, headers }, key));
  return headers;
}

/** Reading on past the limit lets a streaming function finish its work. */
async function keep(body: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const kept: Uint8Array[] = [];
  let room = limit;
  for await (const chunk of body) {
    if (room > 0) kept.push(chunk.subarray(0, room));
    room -= chunk.length;
  }
  return Buffer.concat(kept);
}
