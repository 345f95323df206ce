import { z } from "zod";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { checkNamespace } from "./namespace-routes.ts";
import { namespace } from "./parse-deployment.ts";
import type { Engine, SecretBody } from "./provider.ts";
import { invalid, readBody } from "./read-body.ts";
import type { Call, Route } from "./route.ts";

/** Largest value of a secret in bytes, as Kubernetes has it. */
const VALUE_LIMIT = 1024 * 1024;

/** A DNS-1123 subdomain, as Kubernetes names secrets. */
const secretName = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/,
    'must be lower-case letters, digits, "-" and ".", at most 253',
  )
  .refine((name) => !name.endsWith(".tmp"), 'may not end in ".tmp"');
const nameBody = z.object({ name: secretName, namespace });
const valueBody = z.object({
  name: secretName,
  namespace,
  value: z.string().nullish(),
  rawValue: z.base64().nullish(),
});

/** `/system/secrets`; values go in and never come out. */
export function createSecretRoutes(
  engine: Engine,
): Readonly<Record<"list" | "create" | "update" | "remove", Route>> {
  return {
    async list({ url }) {
      checkNamespace(url);
      const names = await engine.listSecrets();
      return Response.json(names.map((name) => ({ name, namespace: FUNCTION_NAMESPACE })));
    },
    create: (call) => write(call, engine.createSecret),
    update: (call) => write(call, engine.updateSecret),
    async remove({ request, url }) {
      checkNamespace(url);
      const { name } = await readBody(request, nameBody);
      await engine.removeSecret(name);
      return new Response(null, { status: 202 });
    },
  };
}

async function write(
  { request, url }: Call,
  store: (secret: SecretBody) => Promise<void>,
): Promise<Response> {
  checkNamespace(url);
  const { name, value, rawValue } = await readBody(request, valueBody);
  // The bytes win over the text when both are given (spec/openfaas-api.md section 10).
  const bytes = rawValue ? Buffer.from(rawValue, "base64") : Buffer.from(value ?? "");
  if (bytes.byteLength > VALUE_LIMIT) throw invalid(`value: is longer than ${VALUE_LIMIT} bytes`);
  await store({ name, value: bytes });
  return new Response(null, { status: 202 });
}
