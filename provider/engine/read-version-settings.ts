import { ConfigError, type Env, readEnv } from "#sdk/env.ts";
import type { EngineSettings } from "./settings.ts";

/** Gateways have to hear that it is awake, and to say that it is called. */
const LEAST_IDLE_MS = 1_000;

/** How versions at addresses of their own live, on every engine. */
export function readVersionSettings(
  env: Env,
): Pick<EngineSettings, "versionIdleMs" | "versionsAwake"> {
  const read = readEnv(env);
  const settings = read.done({
    versionIdleMs: read.milliseconds("version_idle_timeout", "5m"),
    versionsAwake: read.integer("versions_awake", 20, { min: 1, max: 10_000 }),
  });
  if (settings.versionIdleMs >= LEAST_IDLE_MS) return settings;
  throw new ConfigError([
    `version_idle_timeout is "${env.version_idle_timeout}"; expected at least "1s"`,
  ]);
}
