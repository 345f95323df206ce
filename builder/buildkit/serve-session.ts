import { createServer, type ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import { createConnectRouter } from "@connectrpc/connect";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { offerServices, type SessionOffer } from "./session-services.ts";

export type Session = {
  /** Paths of what is served, `/grpc.health.v1.Health/Check`. */
  readonly methods: readonly string[];
  /** Answer the daemon's calls on this stream until it ends. */
  serve(stream: Duplex): void;
  close(): void;
};

/** The gRPC server that BuildKit calls back: context, secrets, credentials. One build has one. */
export function createSession(offer: SessionOffer): Session {
  const router = createConnectRouter({
    grpc: true,
    grpcWeb: false,
    connect: false,
    acceptCompression: [],
  });
  offerServices(router, offer);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const connections = new Set<ServerHttp2Session>();
  let stream: Duplex | undefined;

  // The library's own adapter would write every call that the daemon breaks off to the console.
  const server = createServer((request, response) => {
    const handler = handlers.get(request.url);
    // A gRPC client takes this for UNIMPLEMENTED.
    if (handler === undefined) return void response.writeHead(404).end();
    handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch(() => response.stream.destroy());
  });
  server.on("session", (connection) => connections.add(connection));
  // A broken connection ends the build, which says so.
  server.on("sessionError", () => {});

  return {
    methods: [...handlers.keys()],
    serve(opened) {
      stream = opened;
      opened.on("error", () => {});
      server.emit("connection", opened);
    },
    close() {
      for (const connection of connections) connection.destroy();
      stream?.destroy();
    },
  };
}
