import { Hono } from "hono";
import { etag } from "hono/etag";
import type { Handler } from "#sdk/answer.ts";
import { describe } from "#sdk/errors.ts";
import { findVisible, type Need, requireApp, requirePermission } from "./access.ts";
import type { ApiEnv, ApiTools, RepositoryRoute, Route } from "./api-tools.ts";
import { createAppRoutes } from "./app-routes.ts";
import { createAuthenticate } from "./authenticate.ts";
import { createCheckRunRoutes } from "./check-run-routes.ts";
import { createContentRoutes } from "./content-routes.ts";
import { createDeliveryRoutes } from "./delivery-routes.ts";
import { GithubError, notFound } from "./github-error.ts";
import { createInstallationRoutes } from "./installation-routes.ts";
import { createRefRoutes } from "./ref-routes.ts";
import { createRepositoryRoutes } from "./repository-routes.ts";
import { createStatusRoutes } from "./status-routes.ts";

/** The part of GitHub's REST API that the pipeline and `@octokit/app` use, below `/api/v3/`. */
export async function createApi(tools: ApiTools): Promise<Handler> {
  const authenticate = await createAuthenticate(tools);
  const api = new Hono<ApiEnv>().basePath("/api/v3");
  api.use(etag());
  api.use(async (context, next) => {
    context.set("caller", await authenticate(context.req.header("authorization") ?? null));
    await next();
  });
  const { origin } = new URL(tools.links.api);
  api.use(async (context, next) => {
    await next();
    // Behind the gateway the request names a socket; further pages are where the user reaches the forge.
    const link = context.res.headers.get("link");
    if (link !== null)
      context.header("link", link.replaceAll(new URL(context.req.url).origin, origin));
  });
  addAppRoutes(api, tools);
  addRepositoryRoutes(api, tools);
  api.notFound(() => notFound().toResponse());
  api.onError((error, { env }) => {
    if (error instanceof GithubError) return error.toResponse();
    env.log.error("api-request-failed", { error: describe(error) });
    return new GithubError(500, "Server Error").toResponse();
  });
  return async (request, log) => api.fetch(request, { log });
}

function addAppRoutes(api: Hono<ApiEnv>, tools: ApiTools): void {
  const app = createAppRoutes(tools);
  const deliveries = createDeliveryRoutes(tools);
  const installation = createInstallationRoutes(tools);
  const repository = createRepositoryRoutes(tools);
  api.get("/app", asApp(app.show));
  api.get("/app/installations", asApp(app.listInstallations));
  api.get("/app/installations/:id", asApp(app.showInstallation));
  api.post("/app/installations/:id/access_tokens", asApp(app.createToken));
  api.get("/users/:owner/installation", asApp(app.showInstallationOfUser));
  api.get("/repos/:owner/:repo/installation", asApp(app.showInstallationOfRepository));
  api.get("/app/hook/deliveries", asApp(deliveries.list));
  api.get("/app/hook/deliveries/:id", asApp(deliveries.show));
  api.post("/app/hook/deliveries/:id/attempts", asApp(deliveries.redeliver));
  api.get("/installation/repositories", installation.listRepositories);
  api.delete("/installation/token", installation.revokeToken);
  api.get("/user", repository.showUser);
  api.get("/user/repos", repository.listOwn);
  api.get("/repositories/:id", repository.showById);
}

function addRepositoryRoutes(api: Hono<ApiEnv>, tools: ApiTools): void {
  const repository = createRepositoryRoutes(tools);
  const refs = createRefRoutes(tools);
  const content = createContentRoutes(tools);
  const statuses = createStatusRoutes(tools);
  const checks = createCheckRunRoutes(tools);
  const at = "/repos/:owner/:repo";
  const reads = (permission: Need["permission"], route: RepositoryRoute) =>
    of({ permission, level: "read" }, route);
  const writes = (permission: Need["permission"], route: RepositoryRoute) =>
    of({ permission, level: "write" }, route);

  api.get(at, reads("metadata", repository.show));
  api.patch(at, of(undefined, repository.update));
  api.get(`${at}/branches`, reads("contents", refs.listBranches));
  api.get(`${at}/branches/:branch{.+}`, reads("contents", refs.showBranch));
  api.get(`${at}/git/ref/:ref{.+}`, reads("contents", refs.showRef));
  api.get(`${at}/git/matching-refs/:ref{.*}`, reads("contents", refs.listMatching));
  api.get(`${at}/contents/:path{.*}`, reads("contents", content.show));
  api.get(`${at}/contents`, reads("contents", content.show));
  api.post(`${at}/statuses/:sha`, writes("statuses", statuses.create));
  api.get(`${at}/commits/:ref{.+}/statuses`, reads("statuses", statuses.list));
  api.get(`${at}/commits/:ref{.+}/status`, reads("statuses", statuses.showCombined));
  api.get(`${at}/commits/:ref{.+}/check-runs`, reads("checks", checks.list));
  api.get(`${at}/commits/:ref{.+}`, reads("contents", refs.showCommit));
  api.post(`${at}/check-runs`, writes("checks", checks.create));
  api.get(`${at}/check-runs/:id`, reads("checks", checks.show));
  api.patch(`${at}/check-runs/:id`, writes("checks", checks.update));

  /** See the repository first: who may not see it learns nothing else. */
  function of(need: Need | undefined, route: RepositoryRoute): Route {
    return (context) => {
      const caller = context.get("caller");
      const { owner = "", repo = "" } = context.req.param();
      const found = findVisible(caller, tools.users, tools.repositories, owner, repo);
      if (need !== undefined) requirePermission(caller, need);
      return route(context, found);
    };
  }
}

function asApp(route: Route): Route {
  return (context) => {
    requireApp(context.get("caller"));
    return route(context);
  };
}
