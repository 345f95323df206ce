import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { parseDuration } from "#sdk/duration.ts";
import type { Env } from "#sdk/env.ts";
import { start, stop } from "#sdk/listen.ts";
import { createAcceptance } from "./acceptance.ts";
import { answer, beginCall, type Call, type Invoke } from "./call.ts";
import { createChildren } from "./child.ts";
import type { Config } from "./config.ts";
import { createForkMode } from "./fork-mode.ts";
import { createHttpMode } from "./http-mode.ts";
import type { LogWriter } from "./log-writer.ts";
import type { ForkTools } from "./run-forked.ts";
import { createSerializingMode } from "./serializing-mode.ts";
import { createStaticMode } from "./static-mode.ts";
import { createStreamingMode } from "./streaming-mode.ts";

export type Watchdog = {
  readonly url: string;
  /** Turn unhealthy, wait `healthcheck_interval`, take nothing new, finish what runs, end the program. */
  stop(): Promise<void>;
  /** End all children at once. */
  kill(): void;
  /** Resolves when the one child of http mode ends by itself; pending in other modes. */
  readonly childEnded: Promise<string>;
};

/** For the program of http mode between SIGTERM and SIGKILL, once nothing is left to answer. */
const LAST_MS = 500;

/** Serve a program over HTTP as spec/openfaas-api.md section 19 tells, its defects left out. */
export async function startWatchdog(config: Config, env: Env, log: LogWriter): Promise<Watchdog> {
  const children = createChildren(env);
  const http = config.mode === "http" ? createHttpMode(config, env, { children, log }) : undefined;
  const { command, maxOutputBytes } = config;
  const invoke =
    http?.invoke ?? createMode(config, env, { command, children, log, maxOutputBytes });
  const acceptance = createAcceptance(config.lockFile);
  const limiter = createLimiter(config.maxInflight);
  const server = createServer({ maxHeaderSize: 1 << 20, keepAliveTimeout: 65_000 });
  server.requestTimeout = config.readTimeoutMs;
  server.on("request", route);
  if (http !== undefined) server.on("upgrade", upgrade);

  const url = await start(server, config.listen);
  acceptance.begin();
  log.write(`Listening on ${url}, mode ${config.mode}.`);
  let stopping = false;
  return {
    url,
    kill: () => children.killAll(),
    childEnded: (http?.ended ?? new Promise<string>(() => {})).then((how) =>
      stopping ? new Promise<string>(() => {}) : how,
    ),
    async stop() {
      stopping = true;
      acceptance.end();
      await wait(config.healthcheckIntervalMs);
      await stop(server, config.writeTimeoutMs);
      // Not before: a program that does not handle SIGTERM would take what it is answering along.
      http?.terminate();
      await Promise.race([http?.ended, wait(LAST_MS)]);
      children.killAll();
    },
  };

  function route(request: IncomingMessage, response: ServerResponse) {
    const path = request.url?.split("?")[0];
    if (path === "/_/health") return answerHealth(request, response);
    // The classic watchdog has no readiness of its own.
    if (path === "/_/ready" && config.mode !== "fork") return answerReady(request, response);
    if (limiter.isFull()) return refuse(response, config.maxInflight);
    limiter.count(response);
    return serve(request, response);
  }

  function isHealthy(): boolean {
    return acceptance.holds() && (http?.isListening() ?? true);
  }

  function answerHealth({ method }: IncomingMessage, response: ServerResponse): void {
    response.statusCode = method !== "GET" ? 405 : isHealthy() ? 200 : 503;
    response.end(response.statusCode === 200 ? "OK" : "");
  }

  function answerReady(request: IncomingMessage, response: ServerResponse) {
    response.statusCode = request.method !== "GET" ? 405 : isHealthy() ? 200 : 503;
    if (response.statusCode !== 200) return response.end();
    if (limiter.isFull()) return refuse(response, config.maxInflight);
    if (config.readyPath === "") return response.end();
    request.url = config.readyPath;
    return serve(request, response);
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const call = beginCall(request, response, deadlineOf(request, config.execTimeoutMs));
    if (config.mode !== "fork") logWhenDone(call, config, log);
    invoke(call).catch((error: unknown) => {
      log.write(`Unexpected failure: ${String(error)}`);
      if (response.headersSent) response.destroy();
      else answer(call, 500, {});
    });
  }

  function upgrade(request: IncomingMessage, socket: unknown, head: Buffer): void {
    if (socket instanceof Socket) http?.upgrade(request, socket, head);
  }
}

function createMode(config: Config, env: Env, tools: ForkTools): Invoke {
  switch (config.mode) {
    case "fork":
      return createForkMode(config, env, tools);
    case "streaming":
      return createStreamingMode(config, env, tools);
    case "serializing":
      return createSerializingMode(config, env, tools);
    case "static":
      return createStaticMode(config.staticPath);
    case "http":
      throw new Error("http mode is made with its child.");
  }
}

/** Counts requests until their answer is written or their client is gone. */
function createLimiter(maxInflight: number) {
  let inflight = 0;
  return {
    isFull: () => maxInflight > 0 && inflight >= maxInflight,
    count(response: ServerResponse): void {
      inflight++;
      response.once("close", () => inflight--);
    },
  };
}

function refuse(response: ServerResponse, maxInflight: number): void {
  response.statusCode = 429;
  response.setHeader("content-type", "text/plain");
  response.setHeader("x-openfaas-internal", "faas-middleware");
  response.end(`Concurrent request limit exceeded. Max concurrent requests: ${maxInflight}\n`);
}

/** `X-Timeout` may shorten the time, never lengthen it. */
function deadlineOf({ headers }: IncomingMessage, execTimeoutMs: number): number | undefined {
  if (execTimeoutMs === 0) return undefined;
  const asked = parseDuration(String(headers["x-timeout"] ?? "")) ?? 0;
  return asked > 0 && asked < execTimeoutMs ? asked : execTimeoutMs;
}

/** `POST / - 200 OK - ContentLength: 12B (0.0012s)`; probes of Kubernetes are not worth a line. */
function logWhenDone(call: Call, { logCallId }: Config, log: LogWriter): void {
  const { request, response } = call;
  if (request.headers["user-agent"]?.startsWith("kube-probe")) return;
  const { method, url } = request;
  const before = request.socket.bytesWritten;
  response.once("close", () => {
    const size = response.getHeader("content-length") ?? request.socket.bytesWritten - before;
    const callId = logCallId ? ` [${request.headers["x-call-id"] ?? "none"}]` : "";
    const status = `${response.statusCode} ${response.statusMessage ?? ""}`.trim();
    log.write(
      `${method} ${url} - ${status} - ContentLength: ${size}B (${Number(call.seconds()).toFixed(4)}s)${callId}`,
    );
  });
}
