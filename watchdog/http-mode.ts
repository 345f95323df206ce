import { Agent, type ClientRequest, type IncomingMessage, request as send } from "node:http";
import { connect, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { Env } from "#sdk/env.ts";
import { answer, type Call, type Invoke } from "./call.ts";
import { type Child, type Children, waitForEnd } from "./child.ts";
import type { Config } from "./config.ts";
import type { LogWriter } from "./log-writer.ts";
import { readBody } from "./read-body.ts";

export type HttpMode = {
  readonly invoke: Invoke;
  /** Carry an upgraded connection (WebSocket) to the child. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
  /** Whether the child has begun to listen. */
  isListening(): boolean;
  /** Resolves with how the child ended. */
  readonly ended: Promise<string>;
  terminate(): void;
};

/** One program for all requests, which serves HTTP itself at `upstream_url`. */
export function createHttpMode(
  config: Config,
  env: Env,
  { children, log }: { readonly children: Children; readonly log: LogWriter },
): HttpMode {
  const upstream = new URL(config.upstreamUrl);
  const port = Number(upstream.port || 80);
  const agent = new Agent({ keepAlive: true, maxSockets: 100, timeout: 0 });
  const child = startServer();
  const ended = waitForEnd(child, children).then((failure) => failure ?? "exit status 0");
  let listening = false;
  const noticing = noticeListening(upstream.hostname, port, ended).then(() => {
    listening = true;
  });
  noticing.catch(() => log.write("The function's process ended before it listened."));

  return {
    invoke: async (call) => {
      try {
        await forward(call);
      } catch (error) {
        fail(call, error);
      }
    },
    upgrade(request, socket, head) {
      carryUpgrade(upstreamRequest(request), socket, head);
    },
    isListening: () => listening,
    ended,
    terminate: () => void child.kill("SIGTERM"),
  };

  function startServer(): Child {
    const started = children.start(config.command, env);
    started.stdin.end();
    log.copy("stdout", started.stdout);
    log.copy("stderr", started.stderr);
    return started;
  }

  async function forward(call: Call): Promise<void> {
    const outgoing = upstreamRequest(call.request, call.signal);
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
    });
    if (config.bufferRequest) {
      const body = await readBody(call.request, config.maxOutputBytes);
      outgoing.removeHeader("transfer-encoding");
      outgoing.setHeader("content-length", body.length);
      outgoing.end(body);
    } else call.request.pipe(outgoing);
    const response = await answered;
    call.response.writeHead(response.statusCode ?? 502, [
      ...withoutConnection(response.rawHeaders),
      ...["X-Duration-Seconds", call.seconds()],
    ]);
    call.response.flushHeaders();
    await pipeline(response, call.response);
  }

  function upstreamRequest(request: IncomingMessage, signal?: AbortSignal): ClientRequest {
    return send({
      host: upstream.hostname,
      port,
      method: request.method,
      path: request.url,
      headers: withoutConnection(request.rawHeaders, request.headers.upgrade !== undefined),
      agent: request.headers.upgrade === undefined ? agent : false,
      setDefaultHeaders: false,
      ...(signal ? { signal } : {}),
    });
  }

  function fail(call: Call, error: unknown): void {
    if (call.response.headersSent) {
      call.response.destroy();
      return;
    }
    if (!call.signal.aborted) log.write(`Upstream HTTP request error: ${String(error)}`);
    answer(call, call.signal.aborted ? 504 : 500, {
      "x-openfaas-internal": "of-watchdog",
      "x-duration-seconds": call.seconds(),
    });
  }
}

/** Both sides' bytes as they are, once the child agrees to switch protocols. */
function carryUpgrade(outgoing: ClientRequest, socket: Socket, head: Buffer): void {
  const close = () => {
    outgoing.destroy();
    socket.destroy();
  };
  socket.on("error", close).on("close", close);
  outgoing.on("error", close);
  outgoing.on("response", (response) => {
    socket.end(formatHead(response));
    response.destroy();
  });
  outgoing.on("upgrade", (response, upstream, first) => {
    upstream.on("error", close).on("close", close);
    socket.write(formatHead(response));
    socket.write(first);
    upstream.write(head);
    upstream.pipe(socket).pipe(upstream);
  });
  outgoing.end();
}

function formatHead({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  let text = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2)
    text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  return `${text}\r\n`;
}

/** Raw name and value pairs without what belongs to one connection only. */
function withoutConnection(raw: readonly string[], upgrading = false): string[] {
  const own = /^(connection|keep-alive|proxy-connection|te|upgrade)$/i;
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2)
    if (upgrading || !own.test(raw[at] ?? "")) kept.push(raw[at] ?? "", raw[at + 1] ?? "");
  return kept;
}

/** Resolves when something accepts connections there; rejects when the child ends first. */
async function noticeListening(host: string, port: number, ended: Promise<string>): Promise<void> {
  const stillRuns = Symbol("still runs");
  while (!(await accepts(host, port))) {
    const state = await Promise.race([ended, wait(20, stillRuns)]);
    if (state !== stillRuns) throw new Error("The function's process ended before it listened.");
  }
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => settle(true)).once("error", () => settle(false));
  });
}
