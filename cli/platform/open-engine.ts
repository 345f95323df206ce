import { join } from "node:path";
import { readVersionSettings } from "#provider/engine/read-version-settings.ts";
import { openProcessEngine } from "#provider/process/open-process-engine.ts";
import type { Engine } from "#provider/provider.ts";
import { createProvider } from "#provider/serve.ts";
import type { Handler } from "#sdk/answer.ts";
import type { Env } from "#sdk/env.ts";
import { readIfThere } from "#sdk/read-if-there.ts";
import type { EngineKind } from "./choose-engine.ts";
import type { Foundation } from "./foundation.ts";
import { RELEASE } from "./release.ts";

export type OpenedEngine = {
  readonly engine: Engine;
  /** The provider API in front of it. */
  readonly handler: Handler;
  /** Resolves when what was deployed before serves again. */
  readonly ready: Promise<void>;
  readonly words: string;
};

/** Open the engine of this data folder; what was deployed begins to start, or is taken over. */
export async function openEngine(base: Foundation): Promise<OpenedEngine> {
  const { secrets, log, engineKind } = base;
  const { engine, words } = await OPEN[engineKind](base);
  return {
    engine,
    handler: createProvider({ engine, credentials: secrets.basicAuth, version: RELEASE, log }),
    ready: engine.ready(),
    words: `${engineKind}, ${words}`,
  };
}

const OPEN = {
  process: openProcess,
  docker: openDocker,
} satisfies Record<EngineKind, unknown>;

async function openProcess({ data, settings, log }: Foundation) {
  const engine = await openProcessEngine({
    dataFolder: data.path,
    runFolder: data.run,
    artifacts: join(data.path, "artifacts"),
    log,
    settings: { drainMs: settings.drainMs, ...readVersionSettings(settings.env) },
  });
  return { engine, words: `for development and trusted code: ${engine.isolation}` };
}

async function openDocker({ data, settings, url, log }: Foundation) {
  const { openDockerEngine, readSettings } = await loadDocker();
  const engine = await openDockerEngine({
    dataFolder: data.path,
    dockerHost: settings.env.DOCKER_HOST,
    gatewayUrl: url,
    readRegistryAuth: () => readIfThere(join(data.secrets, "registry-secret")),
    log,
    settings: { ...readSettings(settings.env), ...readVersionSettings(settings.env) },
  });
  return { engine, words: engine.isolation };
}

/** A busy dockerd takes seconds; one that hangs must not keep the first start waiting for ever. */
const CHECK_LIMIT_MS = 20_000;

/** Rejects with what to do where functions cannot run on Docker. */
export async function checkDocker(env: Env): Promise<void> {
  const { connectDocker, readSettings } = await loadDocker();
  await connectDocker(env.DOCKER_HOST, { ...readSettings(env), dockerTimeoutMs: CHECK_LIMIT_MS });
}

/** Its code takes memory that the process engine has no use for. */
async function loadDocker() {
  const [connect, engine, settings] = await Promise.all([
    import("#provider/docker/connect-docker.ts"),
    import("#provider/docker/open-docker-engine.ts"),
    import("#provider/docker/read-settings.ts"),
  ]);
  return { ...connect, ...engine, ...settings };
}
