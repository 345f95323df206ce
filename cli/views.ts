import { z } from "zod";

/** What the admin socket answers, as the commands read it. */
export const FUNCTIONS = z.array(
  z.object({
    name: z.string(),
    repository: z.string(),
    sha: z.string(),
    replicas: z.number(),
    availableReplicas: z.number(),
    invocations: z.number(),
    deployedAt: z.number(),
    url: z.string(),
    /** Why it does not serve as asked. */
    problem: z.string().optional(),
    /** Names of the secrets that it serves with earlier values of. */
    earlierSecrets: z.array(z.string()).optional(),
  }),
);

export const VERSIONS = z.array(
  z.object({
    sha: z.string(),
    state: z.string(),
    /** Number of the release. */
    fence: z.number(),
    rolledBack: z.boolean(),
    declaredAt: z.number(),
    /** Where it answers whatever else serves; absent when a newer release of the commit has the address. */
    url: z.string().optional(),
    /** Names of the secrets that it serves with earlier values of. */
    earlierSecrets: z.array(z.string()).optional(),
  }),
);

export const BUILD = z.object({
  id: z.string(),
  repository: z.string(),
  branch: z.string(),
  sha: z.string(),
  generation: z.number(),
  state: z.string(),
  reason: z.string(),
  acceptedAt: z.number(),
  endedAt: z.number().optional(),
  functions: z.array(z.string()),
});
export const BUILDS = z.array(BUILD);
export type BuildView = z.infer<typeof BUILD>;
