import { type Env, readEnv } from "#sdk/env.ts";
import { readStatusUrls, type StatusUrls } from "#sdk/status-urls.ts";

export type Config = {
  /** Branch whose pushes are built, without `refs/heads/`. Empty: the repository's default branch. */
  readonly buildBranch: string;
  /** Longest wait for a job to be queued, in milliseconds. */
  readonly queueTimeoutMs: number;
  /** Builds of one owner that are accepted within an hour. */
  readonly buildsPerHour: number;
  readonly urls: StatusUrls;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    buildBranch: read.text("build_branch", ""),
    queueTimeoutMs: read.milliseconds("write_timeout", "10s"),
    buildsPerHour: read.integer("owner_builds_per_hour", 120, { min: 1, max: 1_000_000 }),
    urls: readStatusUrls(read),
  });
}
