import { join } from "node:path";
import type { PinBases } from "#sdk/base-pin.ts";
import type { GithubApps } from "#sdk/github-app.ts";
import { createReadHead } from "#sdk/read-head.ts";
import { readTemplates } from "#sdk/templates.ts";
import { readConfig } from "../../functions/git-tar/config.ts";
import { createOpenSource } from "../../functions/git-tar/open-source.ts";
import type { RunTools } from "../../functions/git-tar/run-build.ts";
import type { Foundation } from "./foundation.ts";

/** How builds on this machine see repositories, with what the operator decides for every function. */
export async function openSources(
  { settings, data, url, engineKind, log }: Foundation,
  apps: GithubApps,
  pinBases: PinBases,
): Promise<RunTools["openSource"]> {
  const { githubUrl, defaults, registry, dockerfile } = readConfig(settings.env);
  return createOpenSource({
    mirrors: join(data.path, "git", "mirrors"),
    origins: [url, githubUrl].map((one) => new URL(one).origin),
    cloneUrlOf: ({ id, fullName, cloneUrl }) =>
      id.startsWith("forge:") ? `${url}git/${fullName}.git` : cloneUrl,
    env: settings.env,
    apps,
    readHead: createReadHead(apps),
    templates: await readTemplates(),
    dockerfile,
    defaults,
    plan: {
      // Images bring their own Node, with the bases that are pinned.
      engine: { kind: engineKind, base: engineKind === "process" ? process.version : "" },
      platform: `${process.platform}/${process.arch}`,
      registry,
    },
    ...(engineKind === "process" ? {} : { pinBases }),
    log,
  });
}
