import { type Env, readEnv } from "#sdk/env.ts";
import type { ImageRules } from "./image-rules.ts";
import type { RunLimits } from "./run-groups.ts";

/** Of `RUN`: nothing, or the network that the daemon gives it. */
export type RunNetwork = "none" | "default";

export type ImageSettings = {
  readonly rules: ImageRules;
  /** What stands before the owner in references: `repository_url`. */
  readonly platformPrefix: string;
  /** Registry and path that take the place of the platform's prefix when an image is pushed; local only when absent. */
  readonly pushPrefix: string | undefined;
  readonly network: RunNetwork;
  /** Of each `RUN`; absent where none are set. */
  readonly runLimits?: RunLimits;
  /** Owners take each other's steps and cache mounts: for one owner, or a team that trusts itself. */
  readonly sharedCache: boolean;
  /** What a base image's tag stands for is asked for anew after so long, in milliseconds. */
  readonly baseRefreshMs: number;
  /** Cache above it is removed, least recently used first; 0 leaves it to the daemon. */
  readonly cacheBytes: number;
};

const GIB = 1024 ** 3;

/** `platformPrefix` is what git-tar puts before the owner in image references: `repository_url`, or `local`. */
export function readImageSettings(
  env: Env,
  platformPrefix: string,
): Omit<ImageSettings, "network" | "runLimits"> {
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
    sharedCache: read.boolean("build_shared_cache", false),
    baseRefreshMs: read.age("base_image_refresh", "24h"),
    cacheBytes: read.integer("build_cache_gib", 20, { min: 0 }) * GIB,
  });
}

export type RunReach = {
  /** What the operator wants a `RUN` to reach. */
  readonly reach: "auto" | "none" | "internet" | "open";
  /** Reached besides with `auto` and `internet`: `10.1.2.3`, `10.1.0.0/16` or `10.1.2.3:5432`. */
  readonly egressAllow: readonly string[];
};

export function readRunReach(env: Env): RunReach {
  const read = readEnv(env);
  return read.done({
    reach: read.choice("build_network", ["auto", "none", "internet", "open"], "auto"),
    egressAllow: listOf(read.text("build_egress_allow", "")),
  });
}

const MIB = 1024 ** 2;

/** What a `RUN` may take, and where dockerd keeps its groups; `machineBytes` is this machine's memory. */
export function readRunLimits(
  env: Env,
  machineBytes: number,
): RunLimits & { readonly cgroupParent: string } {
  const read = readEnv(env);
  const memoryMib = Math.min(2_048, Math.floor(machineBytes / 2 / MIB));
  return read.done({
    memoryBytes: read.integer("build_memory_mib", memoryMib) * MIB,
    processes: read.integer("build_pids", 4_096),
    cgroupParent: read.text("build_cgroup_parent", ""),
  });
}

function listOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}
