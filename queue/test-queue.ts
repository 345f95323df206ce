import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { ExecutionContext } from "ava";
import { answerRequests } from "#sdk/answer.ts";
import { start, stop } from "#sdk/listen.ts";
import { createLog } from "#sdk/log.ts";
import type { Backend } from "./backends/backend.ts";
import { openQueue, type QueueTools } from "./queue.ts";
import {
  type CallbackSettings,
  type CallSettings,
  defaultQueueSettings,
  type QueueSettings,
} from "./settings.ts";
import type { CallState, CallStatus } from "./status.ts";

export const payloadKey = { id: "k1", secret: "a secret that only tests know" };

/** One request that a recording server received. */
export type Call = {
  readonly url: string;
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: Buffer;
  readonly body: string;
  /** `performance.now()` when its last byte was there. */
  readonly at: number;
};
/** `nth` counts from 1. */
export type Respond = (call: Call, response: ServerResponse, nth: number) => void | Promise<void>;

export type SetUpOptions = {
  readonly openBackend?: () => Promise<Backend>;
  readonly respond?: Respond;
  readonly limits?: Partial<QueueSettings>;
  readonly pipeline?: Partial<CallSettings>;
  readonly invocations?: Partial<CallSettings>;
  readonly callbacks?: Partial<CallbackSettings>;
  /** Whether workers run at once; true unless told. */
  readonly started?: boolean;
} & Partial<QueueTools>;

const fast: Partial<CallSettings> = { firstDelayMs: 20, maxDelayMs: 200, concurrency: 8 };
const ok: Respond = (_call, response) => void response.end("ok");

/** A queue between a test and a recording gateway on a Unix socket. */
export async function setUp(t: ExecutionContext, options: SetUpOptions = {}) {
  const {
    openBackend,
    respond = ok,
    limits,
    pipeline,
    invocations,
    callbacks,
    started = true,
  } = options;
  const folder = await mkdtemp(join(tmpdir(), "queue-"));
  const { server, calls } = record(t, respond);
  const gatewayUrl = await start(server, { socketPath: join(folder, "gateway.sock") });
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const queue = await openQueue({
    dataFolder: folder,
    runFolder: folder,
    gatewayUrl,
    payloadKey,
    settings: {
      ...defaultQueueSettings,
      ...limits,
      pipeline: { ...defaultQueueSettings.pipeline, ...fast, ...pipeline },
      invocations: { ...defaultQueueSettings.invocations, ...fast, ...invocations },
      callbacks: { ...defaultQueueSettings.callbacks, ...fast, ...callbacks },
    },
    log,
    ...(openBackend === undefined ? {} : { backend: await openBackend() }),
    ...(options.find === undefined ? {} : { find: options.find }),
  });
  if (started) await queue.start();
  const answer = answerRequests(queue.handler, log);
  const ask = (method: string, path: string, init: RequestInit = {}) =>
    answer(new Request(`http://queue${path}`, { method, ...init }));
  t.teardown(async () => {
    await queue.close(0);
    await stop(server, 0);
    await rm(folder, { recursive: true, force: true });
  });

  return {
    queue,
    calls,
    lines,
    post: (path: string, init?: RequestInit) => ask("POST", path, init),
    get: (path: string) => ask("GET", path),
    cancel: (callId: string) => ask("DELETE", `/async-function/${callId}`),
    status,
    until,
    /** Wait until a call is in a state. */
    reaches: (callId: string, state: CallState, deadlineMs?: number) =>
      until(async () => (await status(callId)).state === state, deadlineMs),
  };

  async function status(callId: string): Promise<CallStatus> {
    return (await (await ask("GET", `/async-status/${callId}`)).json()) as CallStatus;
  }

  async function until(seen: () => boolean | Promise<boolean>, deadlineMs = 60_000): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (!(await seen())) {
      if (Date.now() > deadline)
        throw new Error(`Not seen within ${deadlineMs} ms.\n${lines.join("")}`);
      await wait(2);
    }
  }
}

/** A recording server on a port of this machine. */
export async function listen(t: ExecutionContext, respond: Respond = ok) {
  const { server, calls } = record(t, respond);
  const url = await start(server, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => stop(server, 0));
  return { url, calls };
}

function record(t: ExecutionContext, respond: Respond): { server: Server; calls: Call[] } {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    receive(request, response).catch((error: unknown) => {
      t.log("The recording server failed:", error);
      response.destroy();
    });
  });
  return { server, calls };

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url = "", method = "", headers } = request;
    const bytes = Buffer.concat(chunks);
    const call = { url, method, headers, bytes, body: bytes.toString(), at: performance.now() };
    calls.push(call);
    await respond(call, response, calls.length);
  }
}
