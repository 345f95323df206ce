import { join } from "node:path";
import { readIfThere } from "#sdk/read-if-there.ts";
import type { BuildService } from "../../builder/build-service.ts";
import { createBuilder } from "../../builder/builder.ts";
import type { PinStore } from "../../builder/image/pin-store.ts";
import { readBuilderSettings } from "../../builder/settings.ts";
import { readConfig } from "../../functions/git-tar/config.ts";
import type { EngineKind } from "./choose-engine.ts";
import type { GarbageTools } from "./collect-garbage.ts";
import type { Foundation } from "./foundation.ts";
import { openRunNetwork } from "./open-run-network.ts";
import { readRunWatch } from "./read-run-watch.ts";

export type OpenedBuilder = BuildService & {
  /** What base images stand for; absent without containers. */
  readonly bases?: PinStore;
  /** What was built and is still here. */
  readonly artifacts: GarbageTools["artifacts"];
  readonly words: string;
};

/** The builder of this data folder's engine, which may still be opening. */
export function openBuilder(base: Foundation, engine: Promise<unknown>): Promise<OpenedBuilder> {
  return OPEN[base.engineKind](base, engine);
}

const OPEN = {
  process: openHostBuilder,
  docker: openImageBuilder,
} satisfies Record<EngineKind, unknown>;

async function openHostBuilder({ data, secrets, settings, log }: Foundation) {
  const builder = createBuilder({
    dataFolder: data.path,
    keys: [secrets.payloadKey],
    env: settings.env,
    settings: readBuilderSettings(settings.env),
    log,
  });
  const words =
    "host builder: templates' install steps as child processes, without lifecycle scripts";
  return { ...builder, words };
}

async function openImageBuilder(base: Foundation, engine: Promise<unknown>) {
  const { data, secrets, settings, log } = base;
  const { env } = settings;
  // Nothing of gRPC is loaded where it is not needed.
  const [{ createImageBuilder }, { readBuildkitAddress }, { readImageSettings }, { readLogins }] =
    await Promise.all([
      import("../../builder/image-builder.ts"),
      import("../../builder/buildkit/read-address.ts"),
      import("../../builder/image/image-settings.ts"),
      import("#sdk/registry-logins.ts"),
    ]);
  const address = readBuildkitAddress(env);
  const images = readImageSettings(env, readConfig(env).registry);
  if (address.kind === "buildkitd" && images.pushPrefix === undefined) {
    throw new Error(
      `buildkit_url is ${address.url}, whose images Docker does not have: set push_repository_url to a registry that both reach.`,
    );
  }
  const logins = await readIfThere(join(data.secrets, "registry-secret"));
  const { runs, limits, words } = await readRunWatch(base, address);
  // dockerd shows rules what passes between containers once the functions' network is there.
  await engine;
  const run = await openRunNetwork(base, address);
  const builder = createImageBuilder({
    dataFolder: data.path,
    keys: [secrets.payloadKey],
    address,
    images: { ...images, network: run.network, ...(limits && { runLimits: limits }) },
    runs,
    buildKey: secrets.buildKey,
    ...(logins === undefined ? {} : { findLogin: readLogins(logins) }),
    settings: readBuilderSettings(env),
    log,
  });
  return {
    ...builder,
    words: `BuildKit at ${address.url}; ${words}; ${run.words}`,
    async close() {
      await builder.close();
      await run.close();
    },
  };
}
