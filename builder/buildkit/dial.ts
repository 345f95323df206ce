import { request } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { describe, HttpError } from "#sdk/errors.ts";
import { withDeadline } from "#sdk/with-deadline.ts";
import type { BuildkitAddress } from "./address.ts";

const DIAL_LIMIT_MS = 10_000;
/** A machine that vanished without a word is noticed after minutes instead of never. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Open a byte stream on which BuildKit speaks HTTP/2: its own socket, or a connection of Docker's HTTP API
 * that is taken over by `path`. Rejects with 503 `buildkit-unreachable`.
 */
export async function dial(
  address: BuildkitAddress,
  path: "/grpc" | "/session",
  headers: Readonly<Record<string, string | readonly string[]>>,
  signal: AbortSignal,
): Promise<Duplex> {
  const limit = withDeadline(DIAL_LIMIT_MS, signal);
  try {
    return address.kind === "docker"
      ? await takeOver(address, path, headers, limit)
      : await open(address, limit);
  } catch (error) {
    signal.throwIfAborted();
    const message = `BuildKit cannot be reached at ${address.url}: ${describe(error)}.`;
    throw new HttpError(503, "buildkit-unreachable", message, { cause: error });
  }
}

/** POST with an Upgrade header; the connection behind the 101 is ours. */
async function takeOver(
  address: BuildkitAddress,
  path: string,
  headers: Readonly<Record<string, string | readonly string[]>>,
  signal: AbortSignal,
): Promise<Duplex> {
  const socket = await open(address, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const asking = request({
    createConnection: () => socket,
    method: "POST",
    path,
    headers: { ...headers, Host: "docker", Connection: "Upgrade", Upgrade: "h2c" },
  });
  asking.on("error", reject);
  asking.on("upgrade", (_response, stream, head) => {
    // The daemon's first frame may have come with the 101.
    if (head.length > 0) stream.unshift(head);
    resolve(stream);
  });
  asking.on("response", (response) => {
    text(response).then(
      (body) =>
        reject(new Error(`POST ${path} is answered ${response.statusCode}: ${body.trim()}`)),
      reject,
    );
  });
  asking.end();
  return during(socket, signal, promise);
}

async function open({ at, tls, kind }: BuildkitAddress, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const protocol = kind === "docker" ? "http/1.1" : "h2";
  const socket = tls ? connectTls({ ...at, ...tls, ALPNProtocols: [protocol] }) : connect(at);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once(tls ? "secureConnect" : "connect", resolve).on("error", reject);
  await during(socket, signal, promise);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS);
}

/** The limit is for the opening only; what is open then lives as long as its build. */
async function during<T>(socket: Socket, signal: AbortSignal, opening: Promise<T>): Promise<T> {
  const giveUp = () => socket.destroy(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    return await opening;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
