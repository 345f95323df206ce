import { type Env, readEnv } from "#sdk/env.ts";
import type { ImageRules } from "./image-rules.ts";

export type ImageSettings = {
  readonly rules: ImageRules;
  /** What stands before the owner in references: `repository_url`. */
  readonly platformPrefix: string;
  /** Registry and path that take the place of the platform's prefix when an image is pushed; local only when absent. */
  readonly pushPrefix: string | undefined;
  /** Of `RUN`. */
  readonly network: "none" | "default";
  /** Owners take each other's steps and cache mounts: for one owner, or a team that trusts itself. */
  readonly sharedCache: boolean;
  /** Cache above it is removed, least recently used first; 0 leaves it to the daemon. */
  readonly cacheBytes: number;
};

const GIB = 1024 ** 3;

/** `platformPrefix` is what git-tar puts before the owner in image references: `repository_url`, or `local`. */
export function readImageSettings(env: Env, platformPrefix: string): ImageSettings {
  const read = readEnv(env);
  const pushPrefix = read.text("push_repository_url", "") || undefined;
  return read.done({
    platformPrefix,
    pushPrefix,
    rules: {
      platformPrefixes: [platformPrefix, ...(pushPrefix === undefined ? [] : [pushPrefix])],
      basePrefixes: listOf(read.text("build_base_images", "")),
      syntaxes: listOf(read.text("build_syntaxes", "docker/dockerfile")),
    },
    network: read.boolean("build_network", false) ? "default" : "none",
    sharedCache: read.boolean("build_shared_cache", false),
    cacheBytes: read.integer("build_cache_gib", 20, { min: 0 }) * GIB,
  });
}

function listOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}
