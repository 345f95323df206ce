import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";

/**
 * What functions see as `http://gateway:8080`: the platform's gateway, reduced to the routes that are
 * public. It passes bytes on and decides by the raw path, as the gateway does.
 */
export type DoorOptions = {
  /** This machine's address on the functions' network, and the port that functions know. */
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:8080/` */
  readonly gatewayUrl: string;
};

/** Resolves when it listens. */
export function openDoor({ host, port, gatewayUrl }: DoorOptions): Promise<void> {
  const gateway = new URL(gatewayUrl);
  const server = createServer({ requestTimeout: 0 }, (asked, answer) => {
    if (isPublic(asked.url ?? "")) pass(gateway, asked, answer);
    else refuse(answer, 404, "Functions reach /function/, /async-function/ and /healthz only.\n");
  });
  server.on("upgrade", (_request, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
}

/** Functions of owners, their answers later, and whether the gateway is there; never `/system`. */
export function isPublic(target: string): boolean {
  if (/^\/healthz(?:\?|$)/.test(target) || /^\/async-status\/[\w-]+$/.test(target)) return true;
  const name = /^\/(?:async-)?function\/([-\w.]+)(?:[/?]|$)/.exec(target)?.[1];
  return name !== undefined && !/\.openfaas-system$/i.test(name);
}

function pass(gateway: URL, asked: IncomingMessage, answer: ServerResponse): void {
  const passed = request({
    host: gateway.hostname,
    port: gateway.port,
    method: asked.method,
    path: asked.url,
    // A connection of its own: one that is kept may be closing just when the next request is sent.
    agent: false,
    headers: { ...withoutHops(asked.headers), host: gateway.host, connection: "close" },
  });
  passed.on("response", (response) => {
    answer.writeHead(response.statusCode ?? 502, withoutHops(response.headers));
    response.pipe(answer);
    response.on("error", () => answer.destroy());
  });
  passed.on("error", () => {
    if (answer.headersSent) answer.destroy();
    else refuse(answer, 502, "The gateway does not answer; it may be restarting.\n");
  });
  answer.on("close", () => passed.destroy());
  asked.on("error", () => passed.destroy());
  asked.pipe(passed);
}

/** What belongs to one connection; Node answers `Expect` itself. */
function withoutHops(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection, "keep-alive": keepAlive, expect, ...rest } = headers;
  return rest;
}

function refuse(answer: ServerResponse, status: number, text: string): void {
  answer.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}
