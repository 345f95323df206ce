import { type Env, readEnv } from "#sdk/env.ts";
import { readStatusUrls, type StatusUrls } from "#sdk/status-urls.ts";
import type { DeployDefaults } from "./format-deployment.ts";
import { type OwnerQuotas, readOwnerQuotas } from "./owner-quotas.ts";

export type Config = {
  /** How long a claim on a build lives without renewal, in milliseconds. */
  readonly leaseMs: number;
  /** Functions of one push that are built at once. */
  readonly concurrency: number;
  /** First part of every image reference, without a trailing slash. */
  readonly registry: string;
  /** Where repositories that are not the forge's may be cloned from. */
  readonly githubUrl: string;
  /** Whether stack files may use `lang: dockerfile`. */
  readonly dockerfile: boolean;
  /** What the operator decides for every function. */
  readonly defaults: DeployDefaults;
  readonly quotas: OwnerQuotas;
  readonly urls: StatusUrls;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    leaseMs: read.milliseconds("build_lease", "30s"),
    concurrency: read.integer("function_build_concurrency", 2, { min: 1, max: 64 }),
    registry: read.text("repository_url", "ofc.local").replace(/\/$/, ""),
    githubUrl: read.url("github_url", "https://github.com/"),
    dockerfile: read.boolean("enable_dockerfile_lang", false),
    defaults: {
      memoryLimit: `${read.integer("function_memory_limit_mb", 128, { min: 16 })}Mi`,
      scaleMin: read.integer("scaling_min_limit", 1, { min: 1, max: 100 }),
      scaleMax: read.integer("scaling_max_limit", 4, { min: 1, max: 100 }),
      scaleFactor: read.integer("scaling_factor", 20, { min: 0, max: 100 }),
      scaleToZero: read.boolean("scale_to_zero", false),
      readOnlyRootFilesystem: read.boolean("readonly_root_filesystem", true),
    },
    quotas: readOwnerQuotas(env),
    urls: readStatusUrls(read),
  });
}
