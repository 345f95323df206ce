import { Hono } from "hono";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { type Credentials, createBasicAuth } from "./basic-auth.ts";
import { createFunctionRoutes } from "./function-routes.ts";
import { createNamespaceRoutes } from "./namespace-routes.ts";
import type { Engine } from "./provider.ts";
import type { Route } from "./route.ts";
import { createSecretRoutes } from "./secret-routes.ts";
import { streamEndpoints } from "./stream-endpoints.ts";
import { streamLogs } from "./stream-logs.ts";

export type ProviderOptions = {
  readonly engine: Engine;
  /** Asked for on `/system/*` and `/endpoints`; without them the socket's own rights are the guard. */
  readonly credentials?: Credentials;
  readonly version: { readonly sha: string; readonly release: string };
  readonly log: Log;
  /** Time between heartbeats of `/endpoints`, in milliseconds. Default 2 s. */
  readonly heartbeatMs?: number;
};

/** The faas-provider HTTP API (spec/openfaas-api.md section 4) and the endpoint stream for gateways. */
export function createProvider(options: ProviderOptions): Handler {
  const { engine, version, heartbeatMs = 2_000 } = options;
  const functions = createFunctionRoutes(engine);
  const secrets = createSecretRoutes(engine);
  const namespaces = createNamespaceRoutes();
  const checkCredentials = createBasicAuth(options.credentials);
  const info = {
    provider: "openfaas-cloud",
    version: { ...version },
    orchestration: engine.kind,
  };

  const table: readonly (readonly [string, string, Route])[] = [
    ["GET", "/system/functions", functions.list],
    ["POST", "/system/functions", functions.create],
    ["PUT", "/system/functions", functions.update],
    ["DELETE", "/system/functions", functions.remove],
    ["GET", "/system/function/:name", functions.show],
    ["POST", "/system/scale-function/:name", functions.scale],
    ["GET", "/system/secrets", secrets.list],
    ["POST", "/system/secrets", secrets.create],
    ["PUT", "/system/secrets", secrets.update],
    ["DELETE", "/system/secrets", secrets.remove],
    ["GET", "/system/logs", (call) => streamLogs(engine, call)],
    ["GET", "/system/namespaces", namespaces.list],
    ["GET", "/system/namespace/:name", namespaces.show],
    ["GET", "/system/namespaces/:name", namespaces.show],
    ["POST", "/system/namespace", namespaces.refuse],
    ["POST", "/system/namespace/", namespaces.refuse],
    ["PUT", "/system/namespace/:name", namespaces.refuse],
    ["DELETE", "/system/namespace/:name", namespaces.refuse],
    ["GET", "/system/info", () => Response.json(info)],
    ["POST", "/wake/:name", functions.wake],
    ["GET", "/endpoints", (call) => streamEndpoints(engine, call.request.signal, heartbeatMs)],
    ["GET", "/healthz", () => new Response(null, { status: 200 })],
  ];

  const app = new Hono<{ Bindings: { log: Log } }>();
  for (const [method, path, route] of table) {
    app.on(method, path, ({ req, env }) => {
      if (path !== "/healthz") checkCredentials(req.raw);
      const name = req.param("name") ?? "";
      return route({ request: req.raw, url: new URL(req.url), name, log: env.log });
    });
  }
  app.notFound(({ req }) => {
    throw new HttpError(404, "no-route", `The provider has no ${req.method} ${req.path}.`);
  });
  // One place answers for errors: the caller, `answerRequests`.
  app.onError((error) => {
    throw error;
  });
  return async (request, log) => app.fetch(request, { log });
}
