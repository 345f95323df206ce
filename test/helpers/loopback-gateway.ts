import { answerRequests, type Handler } from "#sdk/answer.ts";
import { createGatewayClient, type GatewayClient } from "#sdk/gateway-client.ts";
import { createNonceMemory, verifyCall, verifyContent } from "#sdk/internal-signature.ts";
import { createLog, type Log } from "#sdk/log.ts";
import type { FunctionStatus } from "#sdk/messages.ts";
import type { SendCall } from "#sdk/send-call.ts";

/** A job as the queue took it. */
type QueuedJob = {
  readonly name: string;
  readonly body: unknown;
  readonly ownerId: string | null;
};

export type Loopback = {
  readonly gateway: GatewayClient;
  readonly jobs: QueuedJob[];
  /** Functions that are deployed; a DELETE takes them out. */
  readonly deployed: FunctionStatus[];
  /** Names of secrets; a DELETE takes them out. */
  readonly secrets: Set<string>;
  /** Names whose deletion fails with 500. */
  readonly undeletable: Set<string>;
  /** What `/async-function/` answers. */
  queueStatus: number;
  /** Parsed log lines of all handlers. */
  readonly lines: Record<string, unknown>[];
  readonly log: Log;
  /** Answer as a host does: one bound log, one place that turns a throw into an answer. */
  serve(handler: Handler): (request: Request) => Promise<Response>;
};

const key = { id: "test", secret: "payload secret" };

/**
 * The gateway as pipeline functions see it, in this process: every call is signed by the real client and
 * verified like the real gateway does, then given to the handler of that name.
 */
export function createLoopback(
  handlers: () => Readonly<Record<string, Handler>> = () => ({}),
): Loopback {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)));
  const nonces = createNonceMemory();
  const loopback: Loopback = {
    gateway: createGatewayClient("http://gateway/", { user: "u", password: "p", key }, route),
    jobs: [],
    deployed: [],
    secrets: new Set(),
    undeletable: new Set(),
    queueStatus: 202,
    lines,
    log,
    serve: (handler) => answerRequests(handler, log),
  };
  return loopback;

  async function route(address: URL, call: Parameters<SendCall>[1]): Promise<Response> {
    const request = new Request(address, { ...call, duplex: "half" });
    const url = new URL(request.url);
    if (url.pathname === "/system/secrets") return answerSecrets(request);
    if (url.pathname.startsWith("/system/")) return system(request);
    verifyCall(
      { method: request.method, path: `${url.pathname}${url.search}`, headers: request.headers },
      [key],
      nonces,
    );
    const [, kind, name = ""] = /^\/([\w-]+)\/([\w-]+)\.openfaas-system$/.exec(url.pathname) ?? [];
    const body = new Uint8Array(await request.arrayBuffer());
    verifyContent(body, request.headers);
    if (kind === "async-function") return enqueue(name, body, request.headers.get("x-owner-id"));
    const handler = handlers()[name];
    if (handler === undefined) return new Response("no such function", { status: 404 });
    const delivered = new Request(`http://functions/${name}${url.search}`, {
      method: request.method,
      headers: request.headers,
      ...(request.method === "GET" ? {} : { body }),
      signal: request.signal,
    });
    return orAborted(loopback.serve(handler)(delivered), call.signal);
  }

  function enqueue(name: string, body: Uint8Array, ownerId: string | null): Response {
    if (loopback.queueStatus === 202)
      loopback.jobs.push({ name, body: JSON.parse(new TextDecoder().decode(body)), ownerId });
    return new Response(null, { status: loopback.queueStatus });
  }

  async function system(request: Request): Promise<Response> {
    if (request.method === "GET") return Response.json(loopback.deployed);
    const { functionName } = (await request.json()) as { functionName: string };
    if (loopback.undeletable.has(functionName))
      return new Response(`${functionName} cannot be deleted`, { status: 500 });
    const index = loopback.deployed.findIndex(({ name }) => name === functionName);
    if (index < 0) return new Response("not found", { status: 404 });
    loopback.deployed.splice(index, 1);
    return new Response(null, { status: 202 });
  }

  async function answerSecrets(request: Request): Promise<Response> {
    if (request.method === "GET")
      return Response.json([...loopback.secrets].map((name) => ({ name })));
    const { name } = (await request.json()) as { name: string };
    return new Response(null, { status: loopback.secrets.delete(name) ? 202 : 404 });
  }
}

/**
 * As `fetch` does: a caller who stops waiting hears so at once. By the caller's own signal: that of a `Request`
 * is collected with it, and then never aborts.
 */
function orAborted(answer: Promise<Response>, signal?: AbortSignal): Promise<Response> {
  if (signal === undefined) return answer;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([answer, aborted]);
}

/** A function as the gateway lists it. */
export function deployedFunction(
  name: string,
  labels: Readonly<Record<string, string>> = {},
): FunctionStatus {
  return {
    name,
    image: `registry.local/alice/shop/${name}:1`,
    labels,
    annotations: {},
    invocationCount: 0,
    replicas: 1,
    availableReplicas: 1,
    createdAt: "2026-01-01T00:00:00.000Z",
  };
}
