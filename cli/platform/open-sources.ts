import { join } from "node:path";
import { readEnv } from "#sdk/env.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import { createReadHead } from "#sdk/read-head.ts";
import { readTemplates } from "#sdk/templates.ts";
import type { DeployDefaults } from "../../functions/git-tar/format-deployment.ts";
import { createOpenSource } from "../../functions/git-tar/open-source.ts";
import type { RunTools } from "../../functions/git-tar/run-build.ts";
import type { Foundation } from "./foundation.ts";
import type { PlatformSettings } from "./settings.ts";

/** How builds on this machine see repositories, with what the operator decides for every function. */
export async function openSources(
  { settings, data, url, engineKind, log }: Foundation,
  apps: GithubApps,
): Promise<RunTools["openSource"]> {
  return createOpenSource({
    mirrors: join(data.path, "git", "mirrors"),
    origins: [url, settings.githubUrl].map((one) => new URL(one).origin),
    cloneUrlOf: ({ id, fullName, cloneUrl }) =>
      id.startsWith("forge:") ? `${url}git/${fullName}.git` : cloneUrl,
    env: settings.env,
    apps,
    readHead: createReadHead(apps),
    templates: await readTemplates(),
    // Without containers there is nothing that could build a Dockerfile.
    dockerfile: false,
    defaults: readDefaults(settings),
    plan: {
      engine: { kind: engineKind, base: process.version },
      platform: `${process.platform}/${process.arch}`,
      registry: settings.registry,
    },
    log,
  });
}

function readDefaults({ env }: PlatformSettings): DeployDefaults {
  const read = readEnv(env);
  return read.done({
    memoryLimit: `${read.integer("function_memory_limit_mb", 128, { min: 16 })}Mi`,
    scaleMin: read.integer("scaling_min_limit", 1, { min: 1, max: 100 }),
    scaleMax: read.integer("scaling_max_limit", 4, { min: 1, max: 100 }),
    scaleFactor: read.integer("scaling_factor", 20, { min: 0, max: 100 }),
    scaleToZero: read.boolean("scale_to_zero", false),
    readOnlyRootFilesystem: read.boolean("readonly_root_filesystem", true),
  });
}
