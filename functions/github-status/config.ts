import { type Env, readEnv } from "#sdk/env.ts";
import { readStatusUrls, type StatusUrls } from "#sdk/status-urls.ts";

export type Config = {
  /** Show check runs rather than commit statuses. */
  readonly useChecks: boolean;
  /** Statuses that are sent at the same moment. */
  readonly concurrency: number;
  /** How far back the comparison at boot looks, in milliseconds. */
  readonly correctWithinMs: number;
  readonly urls: StatusUrls;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    useChecks: read.boolean("use_checks", false),
    concurrency: read.integer("status_concurrency", 8, { min: 1, max: 100 }),
    correctWithinMs: read.age("status_correct_within", "24h"),
    urls: readStatusUrls(read),
  });
}
