import { connect } from "node:http2";
import type { Duplex } from "node:stream";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, type GrpcTransportOptions } from "@connectrpc/connect-node";
import { EXPOSED_METHOD } from "./session-headers.ts";

// The library does not export it by name.
type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;

const AUTHORITY = "http://buildkit";
/** The session's upload comes back through here when it is tunnelled: small windows would make it crawl. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export type OpenTransport = {
  readonly transport: Transport;
  close(): void;
};

/** gRPC over one byte stream that is open already; it is never opened again behind our back. */
export function openTransport(stream: Duplex): OpenTransport {
  const session = connect(AUTHORITY, {
    createConnection: () => stream,
    settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
  });
  // Every call that is open fails with it, too.
  session.on("error", () => {});
  session.on("connect", () => session.setLocalWindowSize(2 * WINDOW_BYTES));
  const sessionManager: SessionManager = {
    authority: AUTHORITY,
    async request(method, path, headers, options) {
      return session.request(
        { ":method": method, ":path": path, ...headers, ...unfold(headers[EXPOSED_METHOD]) },
        options,
      );
    },
    notifyResponseByteRead() {},
  };
  return {
    transport: createGrpcTransport({ baseUrl: AUTHORITY, sessionManager }),
    close: () => session.destroy(),
  };
}

/** fetch's Headers fold what was given many times into "a, b"; gRPC metadata keeps values apart. */
function unfold(value: unknown) {
  return typeof value === "string" ? { [EXPOSED_METHOD]: value.split(", ") } : {};
}
