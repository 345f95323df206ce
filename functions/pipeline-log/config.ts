import { type Env, readEnv } from "#sdk/env.ts";
import { readStatusUrls, type StatusUrls } from "#sdk/status-urls.ts";

export type Config = {
  /** Builds whose log of a function is kept, newest first. */
  readonly keepLogs: number;
  /** Largest log that is kept; of a longer one its end. */
  readonly logLimitBytes: number;
  /** Longest silence of a followed build before a sign of life, in milliseconds. */
  readonly heartbeatMs: number;
  /** How long a follower waits for a delivery that has not come yet, in milliseconds. */
  readonly deliveryWaitMs: number;
  readonly urls: StatusUrls;
};

export function readConfig(env: Env): Config {
  const read = readEnv(env);
  return read.done({
    keepLogs: read.integer("pipeline_log_keep", 20, { min: 1, max: 10_000 }),
    logLimitBytes:
      read.integer("pipeline_log_limit_kib", 1_024, { min: 1, max: 1_048_576 }) * 1_024,
    heartbeatMs: read.milliseconds("pipeline_log_heartbeat", "10s"),
    deliveryWaitMs: read.milliseconds("pipeline_log_delivery_wait", "5s"),
    urls: readStatusUrls(read),
  });
}
