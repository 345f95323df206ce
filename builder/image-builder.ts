import { join } from "node:path";
import { describe } from "#sdk/errors.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import type { FindLogin } from "#sdk/registry-logins.ts";
import { type BuildService, createBuildService } from "./build-service.ts";
import type { BuildkitAddress } from "./buildkit/address.ts";
import { openBuildkit } from "./buildkit/open-buildkit.ts";
import type { ArtifactStore } from "./host/artifact-store.ts";
import { askBuildkit } from "./image/ask-buildkit.ts";
import { buildImage } from "./image/build-image.ts";
import type { ImageSettings } from "./image/image-settings.ts";
import { openImageStore } from "./image/image-store.ts";
import { createPinStore, type PinStore } from "./image/pin-store.ts";
import { createRunWatch, type RunWatchSettings } from "./image/watch-runs.ts";
import { readBuildKey } from "./secrets/build-key.ts";
import { type BuilderSettings, DEFAULT_SETTINGS } from "./settings.ts";

export type ImageBuilderTools = {
  /** Work folders go to `builder/` in it. */
  readonly dataFolder: string;
  /** Accepted for `X-Cloud-Signature`; their secrets also for faas-cli's `X-Build-Signature`. */
  readonly keys: readonly PayloadKey[];
  readonly address: BuildkitAddress;
  readonly images: ImageSettings;
  /** What is looked at while builds run; nothing when absent. */
  readonly runs?: RunWatchSettings;
  /** Of registries, to pull bases and to push. */
  readonly findLogin?: FindLogin;
  /** Opens build secrets: base64 of 32 bytes. */
  readonly buildKey: string;
  readonly settings?: Partial<BuilderSettings>;
  readonly log: Log;
};

export type ImageBuilder = BuildService & {
  /** Removes images that no release uses, from the engine's store; a registry is its operator's. */
  readonly artifacts: Pick<ArtifactStore, "sweep">;
  /** What base images' names stand for. */
  readonly bases: PinStore;
};

const COLLECT_EVERY_MS = 10 * 60_000;

/** The builder with containers: contexts with a Dockerfile become images, in the engine's store or a registry. */
export function createImageBuilder(tools: ImageBuilderTools): ImageBuilder {
  const { address, images, keys, log, findLogin = () => undefined } = tools;
  const settings = { ...DEFAULT_SETTINGS, ...tools.settings };
  const buildkit = openBuildkit(address);
  const key = readBuildKey(tools.buildKey);
  const store = address.kind === "docker" ? openImageStore(address) : undefined;
  const bases = createPinStore({
    path: join(tools.dataFolder, "builder", "base-images.json"),
    source: {
      ...(store ?? { askRegistry: (...what) => askBuildkit(buildkit, ...what) }),
      findLogin,
    },
    rules: images.rules,
    refreshMs: images.baseRefreshMs,
    log,
  });
  const runs = createRunWatch({
    ...(tools.runs ?? { groups: [] }),
    atOnce: settings.concurrency,
    makeRoom: async () => void (await buildkit.prune(0)),
    log,
  });
  const service = createBuildService({
    home: join(tools.dataFolder, "builder"),
    keys,
    settings,
    publicKey: key.publicKey,
    build: (job) =>
      runs.during((stop) => {
        const signal = AbortSignal.any([job.signal, stop]);
        return buildImage(
          { ...job, signal },
          { buildkit, store, settings, images, findLogin, key, askAnew: bases.refresh },
        );
      }),
    checkHealth: async () => void (await buildkit.listWorkers()),
    log,
  });
  const collecting = images.cacheBytes === 0 ? undefined : setInterval(collect, COLLECT_EVERY_MS);
  collecting?.unref();

  return {
    ...service,
    bases,
    artifacts: {
      sweep: async (keep, minimumAgeMs) =>
        (await store?.sweep(images.rules.platformPrefixes, keep, minimumAgeMs)) ?? [],
    },
    close() {
      clearInterval(collecting);
      return service.close();
    },
  };

  function collect(): void {
    buildkit.prune(images.cacheBytes).then(
      (bytes) => {
        if (bytes > 0) log.info("build-cache-collected", { size_bytes: bytes });
      },
      (error: unknown) => log.warn("build-cache-not-collected", { error: describe(error) }),
    );
  }
}
