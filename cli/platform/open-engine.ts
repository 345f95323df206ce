import { join } from "node:path";
import { openProcessEngine } from "#provider/process/open-process-engine.ts";
import type { Engine } from "#provider/provider.ts";
import { createProvider } from "#provider/serve.ts";
import type { Handler } from "#sdk/answer.ts";
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

/** Open the engine of this data folder; what was deployed begins to start. */
export async function openEngine(base: Foundation): Promise<OpenedEngine> {
  const { data, settings, secrets, log } = base;
  const engine = await openProcessEngine({
    dataFolder: data.path,
    runFolder: data.run,
    artifacts: join(data.path, "artifacts"),
    log,
    settings: { drainMs: settings.drainMs },
  });
  return {
    engine,
    handler: createProvider({ engine, credentials: secrets.basicAuth, version: RELEASE, log }),
    ready: engine.ready(),
    words: `${base.engineKind}, for development and trusted code: ${engine.isolation}`,
  };
}
