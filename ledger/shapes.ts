import { z } from "zod";
import { BASE_PINS } from "#sdk/base-pin.ts";
import { TERMINAL_BUILD_STATES } from "#sdk/messages.ts";

const texts = z.record(z.string(), z.string());
const resources = z.looseObject({
  memory: z.string().exactOptional(),
  cpu: z.string().exactOptional(),
});

/** Loose, as every shape here: what a later version adds to the type survives being read. */
export const functionDeployment = z.looseObject({
  service: z.string(),
  image: z.string(),
  namespace: z.string().exactOptional(),
  envProcess: z.string().exactOptional(),
  envVars: texts.exactOptional(),
  constraints: z.array(z.string()).exactOptional(),
  secrets: z.array(z.string()).exactOptional(),
  labels: texts.exactOptional(),
  annotations: texts.exactOptional(),
  limits: resources.exactOptional(),
  requests: resources.exactOptional(),
  readOnlyRootFilesystem: z.boolean().exactOptional(),
});

export const plan = z.looseObject({
  v: z.literal(1),
  functions: z.array(
    z.looseObject({
      name: z.string(),
      service: z.string(),
      lang: z.string(),
      key: z.string(),
      image: z.string(),
      deployment: functionDeployment,
      specHash: z.string(),
      handler: z.string(),
      buildArgs: texts,
      bases: BASE_PINS.exactOptional(),
      copy: z.array(z.string()),
    }),
  ),
});

const fault = z.literal("platform").exactOptional();
const every = { v: z.literal(1), at: z.number() };

export const buildEvent = z.discriminatedUnion("type", [
  z.looseObject({
    ...every,
    type: z.literal("planned"),
    repository: z.string(),
    sha: z.string(),
    functions: z.array(
      z.looseObject({
        name: z.string(),
        lang: z.string(),
        action: z.enum(["build", "deploy", "unchanged"]),
      }),
    ),
  }),
  z.looseObject({ ...every, type: z.literal("fetched"), ms: z.number() }),
  z.looseObject({ ...every, type: z.literal("waiting"), reason: z.string() }),
  z.looseObject({
    ...every,
    type: z.literal("function"),
    name: z.string(),
    step: z.enum([
      "building",
      "built",
      "cached",
      "starting",
      "healthy",
      "unchanged",
      "failed",
      "removed",
    ]),
    ms: z.number().exactOptional(),
    reason: z.string().exactOptional(),
    fault,
  }),
  z.looseObject({ ...every, type: z.literal("note"), text: z.string() }),
  z.looseObject({ ...every, type: z.literal("log"), name: z.string(), text: z.string() }),
  z.looseObject({
    ...every,
    type: z.literal("ended"),
    state: z.enum(TERMINAL_BUILD_STATES),
    reason: z.string(),
    fault,
    ms: z.number(),
    urls: z.array(
      z.looseObject({ name: z.string(), url: z.string(), prettyUrl: z.string().exactOptional() }),
    ),
  }),
]);

export const content = z.object({ specHash: z.string(), digest: z.string() });
