import { z } from "zod";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { FUNCTION_NAMESPACE } from "#sdk/names.ts";
import { refuseVariable } from "#sdk/refuse-variable.ts";

/** Most bytes of all variables together; Linux takes 128 KiB for one. */
const ENVIRONMENT_LIMIT = 512 * 1024;
/** Most bytes of all labels or all annotations, as Kubernetes has it. */
const LABELS_LIMIT = 256 * 1024;

const text = z.string().refine((value) => !value.includes("\0"), "holds a NUL byte");
const texts = z.record(z.string(), text);
const quantity = z.object({ memory: text.nullish(), cpu: text.nullish() });

/** A DNS-1123 label, as functions are named on every engine. */
export const functionName = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    'must be lower-case letters, digits and "-", at most 63 (a DNS label)',
  );

/** What may be deployed: versions have names that no function has. */
const newFunctionName = functionName.refine((name) => !name.includes("--"), {
  message: '"--" is kept for versions',
});

/** The users' namespace, or nothing; no other can be reached from here. */
export const namespace = z
  .string()
  .nullish()
  .refine((value) => !value || value === FUNCTION_NAMESPACE, {
    message: `must be ${FUNCTION_NAMESPACE}`,
  });

/** Body of POST and PUT `/system/functions`; unknown keys are left out, null is as good as absent. */
export const deploymentBody: z.ZodType<FunctionDeployment> = z
  .object({
    service: newFunctionName,
    image: text.min(1, "is required").max(1_024),
    namespace,
    envProcess: text.max(4_096).nullish(),
    envVars: texts.check(checkVariables).nullish(),
    constraints: z.array(text).max(64).nullish(),
    secrets: z.array(text.min(1).max(253)).max(64).nullish(),
    labels: texts.refine(fits, `holds more than ${LABELS_LIMIT} bytes`).nullish(),
    annotations: texts.refine(fits, `holds more than ${LABELS_LIMIT} bytes`).nullish(),
    limits: quantity.nullish().transform(withoutNull),
    requests: quantity.nullish().transform(withoutNull),
    readOnlyRootFilesystem: z.boolean().nullish(),
  })
  .transform(({ service, image, ...optional }) => ({
    service,
    image,
    ...withoutNull(optional),
  }));

function checkVariables(payload: z.core.ParsePayload<Record<string, string>>): void {
  let sizeBytes = 0;
  for (const [name, value] of Object.entries(payload.value)) {
    sizeBytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 2;
    const message = refuseVariable(name);
    if (message !== undefined)
      payload.issues.push({ code: "custom", input: value, path: [name], message });
  }
  if (sizeBytes > ENVIRONMENT_LIMIT) {
    const message = `holds more than ${ENVIRONMENT_LIMIT} bytes`;
    payload.issues.push({ code: "custom", input: payload.value, message });
  }
}

function fits(map: Readonly<Record<string, string>>): boolean {
  const sizes = Object.entries(map).map((pair) => Buffer.byteLength(pair.join("")));
  return sizes.reduce((total, size) => total + size, 0) <= LABELS_LIMIT;
}

type WithoutNull<T> = { readonly [K in keyof T]?: NonNullable<T[K]> };

/** The same without fields that are null or undefined. */
function withoutNull<T extends object>(value: T): WithoutNull<T>;
function withoutNull<T extends object>(value: T | null | undefined): WithoutNull<T> | undefined;
function withoutNull(value: object | null | undefined): object | undefined {
  if (value === null || value === undefined) return undefined;
  const kept = Object.entries(value).filter(([, one]) => one !== null && one !== undefined);
  return Object.fromEntries(kept);
}
