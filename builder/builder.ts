import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Env } from "#sdk/env.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import { readTemplates } from "#sdk/templates.ts";
import { type Build, type BuildService, createBuildService } from "./build-service.ts";
import { type ArtifactStore, createArtifactStore } from "./host/artifact-store.ts";
import { buildOnHost } from "./host/build-on-host.ts";
import { ownerOf } from "./owner-of.ts";
import { type BuilderSettings, DEFAULT_SETTINGS } from "./settings.ts";
import { toolEnvironment } from "./tool-environment.ts";
import { unpackContext } from "./unpack-context.ts";

export type BuilderTools = {
  /** Artefacts go to `artifacts/`, everything else to `builder/` in it. */
  readonly dataFolder: string;
  /** Folder that holds one folder per template; this tree's own when absent. */
  readonly templatesFolder?: string;
  /** Accepted for `X-Cloud-Signature`; their secrets also for faas-cli's `X-Build-Signature`. */
  readonly keys: readonly PayloadKey[];
  /** The platform's environment; only paths, proxies and certificates of it reach npm and pip. */
  readonly env: Env;
  readonly settings?: Partial<BuilderSettings>;
  readonly log: Log;
};

export type Builder = BuildService & { readonly artifacts: ArtifactStore };

/** The builder without containers: contexts become artefacts for the process engine. */
export function createBuilder(tools: BuilderTools): Builder {
  const { dataFolder, keys, log } = tools;
  const settings = { ...DEFAULT_SETTINGS, ...tools.settings };
  const home = join(dataFolder, "builder");
  const artifacts = createArtifactStore(join(dataFolder, "artifacts"));
  const templates = readTemplates(tools.templatesFolder);
  // The first build fails with it.
  templates.catch((error: unknown) => log.error("builder-start-failed", { error: String(error) }));
  const build: Build = async ({ body, ownerId, work, tell, signal, log }) => {
    const config = await unpackContext(body, `${work}/context`, settings, signal);
    const { digest, sizeBytes, fresh } = await buildOnHost(work, config, {
      settings,
      templates: await templates,
      artifacts,
      env: toolEnvironment(tools.env, work),
      cacheFolder: join(home, "cache", nameOf(ownerOf(config, ownerId))),
      tell,
      signal,
    });
    log.info("artifact-built", { image: config.image, digest, size_bytes: sizeBytes, fresh });
    return { status: "success", image: config.image, digest, sizeBytes };
  };
  const checkHealth = async () => void (await templates);
  return { artifacts, ...createBuildService({ home, keys, settings, build, checkHealth, log }) };
}

/** A folder name that says nothing and cannot climb. */
function nameOf(owner: string): string {
  return createHash("sha256").update(owner).digest("hex").slice(0, 32);
}
