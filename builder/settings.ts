import { type Env, readEnv } from "#sdk/env.ts";

/** Limits and switches of the builder; every one has a default. Sizes in bytes, times in milliseconds. */
export type BuilderSettings = {
  /** Builds at once. */
  readonly concurrency: number;
  /** Of one owner; as many as there are at all when absent. */
  readonly ownerConcurrency?: number;
  /** Builds that may wait for their turn before the next is answered 429. */
  readonly maxWaiting: number;
  /** Bodies of faas-cli that may be on their way at once. */
  readonly maxSpools: number;
  /** Whole tar, and sum of what it unpacks to. */
  readonly maxContextBytes: number;
  readonly maxEntries: number;
  readonly maxFileBytes: number;
  /** Of one entry's path. */
  readonly maxPathBytes: number;
  /** Files of an artefact together, installed packages included. */
  readonly maxArtifactBytes: number;
  readonly maxLogBytes: number;
  /** From the build's turn to its last line. */
  readonly buildTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Run the install scripts of packages (npm) or build them from source (pip). */
  readonly lifecycleScripts: boolean;
  /** Package registry of npm, instead of its own default. */
  readonly npmRegistry?: string;
  /** Package index of pip, instead of its own default. */
  readonly pipIndexUrl?: string;
};

export const DEFAULT_SETTINGS: BuilderSettings = {
  concurrency: 2,
  maxWaiting: 200,
  maxSpools: 8,
  maxContextBytes: 100 * 1024 * 1024,
  maxEntries: 20_000,
  maxFileBytes: 64 * 1024 * 1024,
  maxPathBytes: 1_024,
  maxArtifactBytes: 512 * 1024 * 1024,
  maxLogBytes: 4 * 1024 * 1024,
  buildTimeoutMs: 10 * 60_000,
  heartbeatMs: 5_000,
  lifecycleScripts: false,
};

const MIB = 1024 * 1024;

/** Read the builder's variables (README.md); a ConfigError names all that are wrong. */
export function readBuilderSettings(env: Env): BuilderSettings {
  const read = readEnv(env);
  const positive = { min: 1 };
  const optional = (name: string) => (env[name] === undefined ? undefined : read.url(name));
  const concurrency = read.integer("build_concurrency", DEFAULT_SETTINGS.concurrency, positive);
  const npmRegistry = optional("npm_registry");
  const pipIndexUrl = optional("pip_index_url");
  return read.done({
    ...DEFAULT_SETTINGS,
    concurrency,
    ownerConcurrency: read.integer("build_owner_concurrency", concurrency, positive),
    maxWaiting: read.integer("build_max_waiting", DEFAULT_SETTINGS.maxWaiting, positive),
    maxContextBytes: read.integer("build_max_context_mib", 100, positive) * MIB,
    maxArtifactBytes: read.integer("build_max_artifact_mib", 512, positive) * MIB,
    buildTimeoutMs: read.milliseconds("build_timeout", "10m"),
    lifecycleScripts: read.boolean("build_lifecycle_scripts", DEFAULT_SETTINGS.lifecycleScripts),
    ...(npmRegistry === undefined ? {} : { npmRegistry }),
    ...(pipIndexUrl === undefined ? {} : { pipIndexUrl }),
  });
}
