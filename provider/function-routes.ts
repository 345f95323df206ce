import { z } from "zod";
import { parseBoolean } from "#sdk/env.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import { FUNCTION_NAMESPACE, splitServiceName } from "#sdk/names.ts";
import { notFound } from "./engine-errors.ts";
import { checkNamespace } from "./namespace-routes.ts";
import { deploymentBody, functionName, namespace } from "./parse-deployment.ts";
import type { Engine } from "./provider.ts";
import { invalid, readBody } from "./read-body.ts";
import type { Call, Route } from "./route.ts";

const removeBody = z.object({ functionName, namespace });
const scaleBody = z.object({
  serviceName: z.string().nullish(),
  replicas: z.number().int().min(0),
  namespace,
});

type Routes = Readonly<
  Record<"list" | "create" | "update" | "remove" | "show" | "scale" | "wake", Route>
>;

/** `/system/functions`, `/system/function/:name` and `/system/scale-function/:name`. */
export function createFunctionRoutes(engine: Engine): Routes {
  return {
    async list({ url }) {
      checkNamespace(url);
      return Response.json(await engine.list());
    },
    create: (call) => deploy(call, "create"),
    update: (call) => deploy(call, "update"),
    async remove({ request, url }) {
      checkNamespace(url);
      const body = await readBody(request, removeBody);
      await engine.remove(body.functionName);
      return accepted();
    },
    async show({ url, name }) {
      checkNamespace(url);
      const status = await engine.status(readName(name));
      if (status !== undefined) return Response.json(status);
      throw notFound(name);
    },
    async scale({ request, url, name }) {
      checkNamespace(url);
      const body = await readBody(request, scaleBody);
      const scaled = readName(name);
      if (body.serviceName && readName(body.serviceName) !== scaled)
        throw invalid(`serviceName "${body.serviceName}" is not the function in the path.`);
      await engine.scale(scaled, body.replicas);
      return accepted();
    },
    async wake({ name }) {
      await engine.wake(name);
      return new Response(null, { status: 204 });
    },
  };

  /** With `wait=true` the answer tells how the deploy ended, without it that it was taken. */
  async function deploy({ request, url, log }: Call, mode: "create" | "update"): Promise<Response> {
    checkNamespace(url);
    const deployment = await readBody(request, deploymentBody);
    const force = readFlag(url, "force");
    const wait = readFlag(url, "wait");

    const declared = Promise.withResolvers<"declared">();
    const published = engine.deploy(deployment, {
      mode,
      force,
      onDeclared: () => declared.resolve("declared"),
    });
    if (wait) await published.catch(throwWithTail);
    else if ((await Promise.race([published, declared.promise])) === "declared")
      published.catch((error: unknown) =>
        log.warn("deploy-failed", { function: deployment.service, error: describe(error) }),
      );
    return accepted();
  }
}

/** `name` or `name.openfaas-fn`; a name that cannot exist is not found rather than wrong. */
function readName(given: string): string {
  const { name, namespace: asked } = splitServiceName(given);
  if (asked !== FUNCTION_NAMESPACE) throw invalid(`namespace must be: ${FUNCTION_NAMESPACE}`);
  return name;
}

function readFlag(url: URL, name: string): boolean {
  const given = url.searchParams.getAll(name).at(-1);
  if (given === undefined) return false;
  const flag = parseBoolean(given);
  if (flag !== undefined) return flag;
  throw invalid(`${name} is ${JSON.stringify(given)}; expected true or false.`);
}

/** Whoever waits gets the last lines of the replica with the reason. */
function throwWithTail(error: unknown): never {
  if (!(error instanceof HttpError) || error.code !== "never-healthy" || !error.cause) throw error;
  const message = `${error.message} Its last lines:\n${describe(error.cause)}`;
  throw new HttpError(error.status, error.code, message);
}

function accepted(): Response {
  return new Response(null, { status: 202 });
}
