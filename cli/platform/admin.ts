import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Owner } from "#ledger/types/owner.ts";
import type { Release } from "#ledger/types/release.ts";
import type { Engine } from "#provider/provider.ts";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { labels } from "#sdk/labels.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { formatVersionName } from "#sdk/names.ts";
import { describePin } from "../../builder/image/describe-pin.ts";
import type { KeptBase, PinStore } from "../../builder/image/pin-store.ts";
import type { Forge } from "../../forge/forge.ts";
import type { Queue } from "../../queue/queue.ts";
import { describeEnd } from "./describe-end.ts";
import { listServed, listVersions, shortSha } from "./list-versions.ts";
import type { OwnerPolicy } from "./owner-policy.ts";
import { redeploy } from "./redeploy.ts";
import { removeFunctions } from "./remove-functions.ts";
import { rollBackFunction } from "./roll-back-function.ts";

export type AdminTools = {
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  readonly queue: Pick<Queue, "inspect" | "retryDead">;
  readonly forge: Pick<Forge, "createToken">;
  readonly engine: Pick<
    Engine,
    "list" | "status" | "logs" | "secretsVersion" | "forgetEarlierSecret"
  >;
  readonly policy: OwnerPolicy;
  /** Absent without containers. */
  readonly bases?: Pick<PinStore, "list" | "refresh">;
  /** Lines of `ofc config`. */
  readonly settings: readonly unknown[];
  /** Versions of a function that have addresses of their own. */
  readonly keepReleases: number;
  readonly publicUrl: string;
  readonly log: Log;
};

/**
 * What the `ofc` commands ask a running platform, on a Unix socket that only its user can open:
 * whoever may open it may do everything.
 */
export function createAdmin(tools: AdminTools): Handler {
  const { ledger, queue } = tools;
  const app = new Hono();

  app.onError((error) => {
    if (error instanceof HTTPException) return error.getResponse();
    throw error;
  });
  app.get("/owners", (c) => c.json(ledger.listOwners()));
  app.get("/functions", async (c) => c.json(await listFunctions(tools, c.req.query("owner"))));
  app.get("/builds", (c) =>
    c.json(listBuilds(ledger, c.req.query("owner"), limitOf(c.req.query("limit")))),
  );
  app.get("/builds/:id", (c) => c.json(findBuild(ledger, c.req.param("id"))));
  app.get("/builds/:id/events", (c) => c.json(buildEvents(ledger, c.req.param("id"))));
  app.post("/builds/:id/cancel", (c) => c.json(cancel(tools, c.req.param("id"))));
  app.get("/deliveries", (c) => c.json(ledger.listDeliveries(limitOf(c.req.query("limit")))));
  app.get("/queue", async (c) => c.json(await queue.inspect()));
  app.post("/queue/retry", async (c) => {
    const { id } = z.object({ id: z.string() }).parse(await c.req.json());
    if (!(await queue.retryDead(id))) {
      throw new HttpError(
        404,
        "no-such-call",
        `There is no dead letter "${id}"; ./ofc queue lists them.`,
      );
    }
    return c.json({ retried: id });
  });
  app.post("/tokens", async (c) => {
    const { owner } = z.object({ owner: z.string() }).parse(await c.req.json());
    const refusal = tools.policy.refuse(owner);
    if (refusal !== undefined) throw new HttpError(403, "owner-refused", refusal);
    const { user, token } = tools.forge.createToken(owner);
    return c.json({ owner: user.login, token });
  });
  app.post("/redeploy", async (c) => c.json(await redeploy(tools, targetOf(await c.req.json()))));
  app.post("/remove", async (c) =>
    c.json(await removeFunctions(tools, targetOf(await c.req.json()))),
  );
  app.post("/rollback", async (c) => {
    const { name: service, ...request } = ROLLBACK.parse(await c.req.json());
    return c.json(await rollBackFunction(tools, { service, ...request }));
  });
  app.post("/forget-secret", async (c) => {
    const { name } = z.object({ name: z.string().min(1) }).parse(await c.req.json());
    await tools.engine.forgetEarlierSecret(name);
    tools.log.info("earlier-secret-forgotten", { secret: name });
    return c.json({ forgotten: name });
  });
  app.get("/functions/:name/versions", async (c) =>
    c.json(await viewVersions(tools, c.req.param("name"))),
  );
  app.get("/logs/:name", async (c) =>
    streamLogs(
      tools.engine,
      c.req.param("name"),
      c.req.query("follow") === "true",
      c.req.raw.signal,
    ),
  );
  app.get("/bases", async (c) => c.json((await basesOf(tools).list()).map(viewBase)));
  app.post("/bases/refresh", async (c) => c.json({ refreshed: await basesOf(tools).refresh() }));
  app.get("/config", (c) => c.json(tools.settings));

  return async (request) => app.fetch(request);
}

const ROLLBACK = z.object({
  name: z.string().min(1),
  sha: z.string().min(4).exactOptional(),
  withSecrets: z.boolean().exactOptional(),
});
const targetOf = (body: unknown) => z.object({ target: z.string().min(1) }).parse(body).target;

function limitOf(text: string | undefined): number {
  const limit = Number(text ?? "20");
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
    throw new HttpError(
      400,
      "bad-limit",
      `limit is ${JSON.stringify(text)}; expected a whole number from 1 to 1000.`,
    );
  }
  return limit;
}

async function listFunctions(tools: AdminTools, slug: string | undefined) {
  const { ledger, gateway, engine, publicUrl } = tools;
  const owner = slug === undefined ? undefined : findOwner(ledger, slug);
  // The gateway counts invocations; the engine knows why a function does not serve as asked.
  const statuses = new Map((await gateway.list()).map((status) => [status.name, status]));
  const reports = new Map((await engine.list()).map((report) => [report.name, report]));
  return ledger.listServing(owner === undefined ? {} : { ownerId: owner.id }).map((release) => {
    const status = statuses.get(release.service);
    return {
      name: release.service,
      repository: ledger.findRepository(release.repositoryId)?.fullName ?? release.repositoryId,
      sha: release.deployment.labels?.[labels.gitSha] ?? "",
      replicas: status?.replicas ?? 0,
      availableReplicas: status?.availableReplicas ?? 0,
      invocations: status?.invocationCount ?? 0,
      deployedAt: release.declaredAt,
      url: `${publicUrl}function/${release.service}`,
      problem: reports.get(release.service)?.problem,
      earlierSecrets: reports.get(release.service)?.earlierSecrets,
    };
  });
}

async function viewVersions(
  { ledger, engine, keepReleases, publicUrl }: AdminTools,
  service: string,
) {
  const { earlierSecrets } = (await engine.status(service)) ?? {};
  const kept = new Set(listVersions(ledger, service, keepReleases).map(({ fence }) => fence));
  const urlOf = (release: Release) =>
    `${publicUrl}function/${formatVersionName(service, shortSha(release))}`;
  return listServed(ledger, service).map((release) => ({
    sha: shortSha(release),
    state: release.state,
    fence: release.fence,
    rolledBack: release.insteadOf !== undefined,
    ...(release.state === "serving" ? { earlierSecrets } : {}),
    declaredAt: release.declaredAt,
    ...(kept.has(release.fence) ? { url: urlOf(release) } : {}),
  }));
}

function listBuilds(ledger: Ledger, slug: string | undefined, limit: number) {
  const owner = slug === undefined ? undefined : findOwner(ledger, slug);
  return ledger
    .listBuilds(owner === undefined ? { limit } : { ownerId: owner.id, limit })
    .map((build) => viewBuild(ledger, build));
}

function viewBuild(ledger: Ledger, { plan, ...build }: Build) {
  return {
    ...build,
    reason: describeEnd(ledger, build),
    repository: ledger.findRepository(build.repositoryId)?.fullName ?? build.repositoryId,
    functions: plan?.functions.map(({ name }) => name) ?? [],
  };
}

function findBuild(ledger: Ledger, id: string) {
  const build = ledger.findBuild(id);
  if (build === undefined)
    throw new HttpError(
      404,
      "no-such-build",
      `There is no build "${id}"; ./ofc builds lists them.`,
    );
  return viewBuild(ledger, build);
}

function buildEvents(ledger: Ledger, id: string): BuildEvent[] {
  findBuild(ledger, id);
  return ledger.listEvents(id).map(({ event }) => event);
}

function cancel({ ledger, log }: AdminTools, id: string) {
  const build = findBuild(ledger, id);
  if (!ledger.cancelBuild(id, "cancelled by the operator")) {
    throw new HttpError(
      409,
      "too-late",
      `Build ${id} is ${build.state}; only a build that is not yet deploying can be cancelled.`,
    );
  }
  log.info("build-cancelled", { build: id });
  return findBuild(ledger, id);
}

function findOwner(ledger: Ledger, slug: string): Owner {
  const owner = ledger.findOwnerBySlug(slug.toLowerCase());
  if (owner === undefined) {
    const known = ledger.listOwners().map(({ slug: one }) => one);
    throw new HttpError(
      404,
      "no-such-owner",
      `There is no owner "${slug}"; known: ${known.join(", ") || "none, nobody has pushed yet"}.`,
    );
  }
  return owner;
}

function basesOf({ bases }: AdminTools) {
  if (bases !== undefined) return bases;
  throw new HttpError(
    409,
    "no-base-images",
    "The process engine builds without images; base images are the Docker engine's.",
  );
}

function viewBase(base: KeptBase) {
  return { ...base, stands: describePin(base.pin) };
}

async function streamLogs(
  engine: AdminTools["engine"],
  name: string,
  follow: boolean,
  signal: AbortSignal,
): Promise<Response> {
  if ((await engine.status(name)) === undefined) {
    throw new HttpError(
      404,
      "no-such-function",
      `There is no function "${name}"; ./ofc status lists them by the names they are deployed under.`,
    );
  }
  const lines = engine.logs({ name, follow, signal });
  const body = ReadableStream.from(
    (async function* () {
      for await (const line of lines) yield new TextEncoder().encode(`${JSON.stringify(line)}\n`);
    })(),
  );
  return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
}
