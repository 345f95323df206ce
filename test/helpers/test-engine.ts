import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment, FunctionStatus } from "#sdk/messages.ts";

type Running = { fence: number; current?: FunctionDeployment; failed?: FunctionDeployment };

export type TestEngine = {
  /** `/system/functions` and `/system/function/<name>`. */
  answer(request: Request): Promise<Response>;
  /** Image of what serves, without its digest, by function. */
  serving(): Readonly<Record<string, string>>;
  readonly functions: Map<string, Running>;
  /** Every switch that took place, in order: `alice-cart <image>`. */
  readonly switches: string[];
  /** Why a deployment never becomes healthy, if so; the lines after the first are its replica's last. */
  unhealthy: (deployment: FunctionDeployment) => string | undefined;
  /** Called before a changing call is acted on; what it throws is the answer. */
  onCall: (method: string, name: string) => void | Promise<void>;
};

/** The OpenFaaS calls of a deploy, by the rules of `provider/engine/decide-deploy.ts`, without processes. */
export function createTestEngine(): TestEngine {
  const functions = new Map<string, Running>();
  const engine: TestEngine = {
    functions,
    switches: [],
    unhealthy: () => undefined,
    onCall: () => {},
    serving: () =>
      Object.fromEntries(
        [...functions].flatMap(([name, { current }]) =>
          current ? [[name, imageOf(current)]] : [],
        ),
      ),
    answer,
  };
  return engine;

  async function answer(request: Request): Promise<Response> {
    const name = /^\/system\/function\/(.+)$/.exec(new URL(request.url).pathname)?.[1];
    if (name !== undefined) return show(name);
    if (request.method === "GET") return Response.json([...functions.keys()].map(toStatus));
    const body = (await request.json()) as FunctionDeployment & { functionName: string };
    if (request.method === "DELETE") return remove(body.functionName);
    return deploy(request.method, body);
  }

  function show(name: string): Response {
    return functions.has(name) ? Response.json(toStatus(name)) : new Response("", { status: 404 });
  }

  async function remove(name: string): Promise<Response> {
    await engine.onCall("DELETE", name);
    if (!functions.delete(name)) throw notFound(name);
    engine.switches.push(`${name} removed`);
    return new Response(null, { status: 202 });
  }

  async function deploy(method: string, asked: FunctionDeployment): Promise<Response> {
    const name = asked.service;
    await engine.onCall(method, name);
    const known = functions.get(name);
    if (method === "PUT" && known === undefined) throw notFound(name);
    if (known !== undefined && releaseOf(known.current) === releaseOf(asked)) return accepted();
    const fence = Number(asked.labels?.[labels.fence]);
    const isSame = releaseOf(known?.failed) === releaseOf(asked) && fence === known?.fence;
    if (known !== undefined && fence <= known.fence && !isSame)
      throw new HttpError(
        409,
        "stale-fence",
        `Function "${name}" is at fence ${known.fence}; a deploy with fence ${fence} came too late.`,
      );
    const [reason, ...tail] = engine.unhealthy(asked)?.split("\n") ?? [];
    if (reason !== undefined) {
      functions.set(name, { ...known, fence, failed: asked });
      throw neverHealthy(name, reason, tail);
    }
    functions.set(name, { fence, current: asked });
    engine.switches.push(`${name} ${imageOf(asked)}`);
    return accepted();
  }

  function toStatus(name: string): FunctionStatus {
    const { current, failed } = functions.get(name) ?? {};
    const { service, ...shown } = current ?? failed ?? { service: name, image: "" };
    return {
      ...shown,
      name: service,
      labels: { ...shown.labels },
      annotations: { ...shown.annotations },
      invocationCount: 0,
      replicas: 1,
      availableReplicas: current === undefined ? 0 : 1,
      createdAt: "2026-01-01T00:00:00.000Z",
    };
  }
}

function imageOf({ image }: FunctionDeployment): string {
  return image.slice(0, image.indexOf("@"));
}

function releaseOf(deployment: FunctionDeployment | undefined): string | undefined {
  return deployment?.labels?.[labels.release];
}

function accepted(): Response {
  return new Response(null, { status: 202 });
}

function notFound(name: string): HttpError {
  return new HttpError(404, "not-found", `Function "${name}" is not deployed.`);
}

function neverHealthy(name: string, reason: string, tail: readonly string[]): HttpError {
  const lines = tail.length === 0 ? "" : ` Its last lines:\n${tail.join("\n")}`;
  const message = `Function "${name}" did not become healthy: ${reason}.${lines}`;
  return new HttpError(424, "never-healthy", message);
}
