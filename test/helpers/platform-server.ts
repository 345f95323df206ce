import { createHash } from "node:crypto";
import type { ExecutionContext } from "ava";
import { answerRequests, type Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import { createGatewayClient, type GatewayClient } from "#sdk/gateway-client.ts";
import { createNonceMemory, type PayloadKey, verifyCall } from "#sdk/internal-signature.ts";
import { createLog, type Log } from "#sdk/log.ts";
import type { BuildLine } from "#sdk/messages.ts";
import { serve } from "#sdk/serve.ts";
import { createTestEngine, type TestEngine } from "./test-engine.ts";

type QueuedJob = { readonly name: string; readonly body: unknown };

export type PlatformServer = {
  /** With a trailing slash. */
  readonly url: string;
  readonly key: PayloadKey;
  readonly gateway: GatewayClient;
  readonly engine: TestEngine;
  /** The platform's own functions, by name. */
  readonly functions: Record<string, Handler>;
  /** What `/async-function/` took. */
  readonly jobs: QueuedJob[];
  queueStatus: number;
  /** `POST /build`. */
  build: (request: Request) => Response | Promise<Response>;
  /** Parsed log lines of all functions. */
  readonly lines: Record<string, unknown>[];
  readonly log: Log;
};

/** What buildshiprun and git-tar call, over HTTP on a port of its own: calls are verified, bodies stream. */
export async function startPlatformServer(t: ExecutionContext): Promise<PlatformServer> {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)));
  const key = { id: "1", secret: "payload secret" };
  const nonces = createNonceMemory();
  const served = await serve(answerRequests(answer, log), { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  const url = `${served.url}/`;
  const platform: PlatformServer = {
    url,
    key,
    gateway: createGatewayClient(url, { user: "admin", password: "password", key }),
    engine: createTestEngine(),
    functions: { "pipeline-log": async () => new Response("kept") },
    jobs: [],
    queueStatus: 202,
    build: buildAnything,
    lines,
    log,
  };
  return platform;

  async function answer(request: Request, log: Log): Promise<Response> {
    const { method, headers } = request;
    const { pathname, search } = new URL(request.url);
    if (pathname.startsWith("/system/")) return platform.engine.answer(request);
    verifyCall({ method, path: `${pathname}${search}`, headers }, [key], nonces);
    if (pathname === "/build") return platform.build(request);
    const [, kind, name = ""] = /^\/([\w-]+)\/([\w-]+)\.openfaas-system$/.exec(pathname) ?? [];
    if (kind === "async-function") return enqueue(name, await request.json());
    const handler = platform.functions[name];
    if (handler === undefined) throw new HttpError(404, "not-found", `There is no ${name}.`);
    return handler(request, log);
  }

  function enqueue(name: string, body: unknown): Response {
    if (platform.queueStatus === 202) platform.jobs.push({ name, body });
    return new Response(null, { status: platform.queueStatus });
  }
}

/** Equal contexts give equal digests. */
async function buildAnything(request: Request): Promise<Response> {
  const context = new Uint8Array(await request.arrayBuffer());
  return linesOf({ log: ["npm ci"], status: "in_progress" }, successOf(context));
}

export function successOf(context: Uint8Array | string): BuildLine {
  const digest = `sha256:${createHash("sha256").update(context).digest("hex")}`;
  return { status: "success", digest, sizeBytes: context.length };
}

/** The builder's answer. */
export function linesOf(...lines: readonly BuildLine[]): Response {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  return new Response(text, { headers: { "content-type": "application/x-ndjson" } });
}
