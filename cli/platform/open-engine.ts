import { join } from "node:path";
import { openProcessEngine } from "#provider/process/open-process-engine.ts";
import type { Engine } from "#provider/provider.ts";
import { createProvider } from "#provider/serve.ts";
import type { Handler } from "#sdk/answer.ts";
import type { Log } from "#sdk/log.ts";
import type { EngineKind } from "./choose-engine.ts";
import type { DataFolder } from "./data-folder.ts";
import type { PlatformSecrets } from "./platform-secrets.ts";
import { RELEASE } from "./release.ts";
import type { PlatformSettings } from "./settings.ts";

export type OpenedEngine = {
  readonly engine: Engine;
  /** The provider API in front of it. */
  readonly handler: Handler;
  /** Resolves when what was deployed before serves again. */
  readonly ready: Promise<void>;
  readonly words: string;
};

/** Open the engine of this data folder; what was deployed begins to start. */
export async function openEngine(
  kind: EngineKind,
  data: DataFolder,
  settings: PlatformSettings,
  { basicAuth }: PlatformSecrets,
  log: Log,
): Promise<OpenedEngine> {
  const engine = await openProcessEngine({
    dataFolder: data.path,
    runFolder: data.run,
    artifacts: join(data.path, "artifacts"),
    log,
    settings: { drainMs: settings.drainMs },
  });
  return {
    engine,
    handler: createProvider({ engine, credentials: basicAuth, version: RELEASE, log }),
    ready: engine.ready(),
    words: `${kind}, for development and trusted code: ${engine.isolation}`,
  };
}
