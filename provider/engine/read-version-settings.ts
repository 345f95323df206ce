import { type Env, readEnv } from "#sdk/env.ts";
import type { EngineSettings } from "./settings.ts";

/** How versions at addresses of their own live, on every engine. */
export function readVersionSettings(
  env: Env,
): Pick<EngineSettings, "versionIdleMs" | "versionsAwake"> {
  const read = readEnv(env);
  return read.done({
    versionIdleMs: read.milliseconds("version_idle_timeout", "5m"),
    versionsAwake: read.integer("versions_awake", 20, { min: 1, max: 10_000 }),
  });
}
