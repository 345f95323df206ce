import { type Env, readEnv, type Setting } from "#sdk/env.ts";

/** What differs between the platform's calls and users' calls. */
export type CallSettings = {
  /** Calls in flight at once. */
  readonly concurrency: number;
  /** Attempts before a call is a dead letter. */
  readonly attempts: number;
  /** Wait before the second attempt; doubles up to `maxDelayMs`. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Longest time of one attempt. */
  readonly timeoutMs: number;
  readonly bodyLimitBytes: number;
};

/** How callbacks are told; one try takes `callbackTimeoutMs` at most. */
export type CallbackSettings = Pick<
  CallSettings,
  "concurrency" | "attempts" | "firstDelayMs" | "maxDelayMs"
>;

export type QueueSettings = {
  readonly pipeline: CallSettings;
  readonly invocations: CallSettings;
  readonly callbacks: CallbackSettings;
  /** Calls one owner may have waiting, and callbacks; more are answered 429. */
  readonly ownerPendingCalls: number;
  /** Bodies one owner may have waiting, in bytes; more are answered 429. The same again for callbacks, whose bodies are left out then. */
  readonly ownerPendingBytes: number;
  /** How long an accepted call may wait for the store before the caller gets 503. */
  readonly publishTimeoutMs: number;
  /** How long a lost worker's call stays locked. */
  readonly lockMs: number;
  /** How often lost calls are looked for. */
  readonly stalledCheckMs: number;
  /** How long a finished call's status can be asked for. */
  readonly keepDoneMs: number;
  readonly keepDeadMs: number;
  /** Whether callbacks may go to loopback, link-local and private addresses. */
  readonly callbackPrivate: boolean;
  readonly callbackTimeoutMs: number;
  /** Longest answer that is passed on to a callback. */
  readonly callbackBodyLimitBytes: number;
};

export const defaultQueueSettings: QueueSettings = readQueueSettings({}).settings;

/** Read the queue's variables (README.md); `sources` is for `ofc config`. Throws ConfigError. */
export function readQueueSettings(env: Env): {
  readonly settings: QueueSettings;
  readonly sources: readonly Setting[];
} {
  const read = readEnv(env);
  const positive = { min: 1 };
  const settings = read.done({
    pipeline: {
      concurrency: read.integer("queue_pipeline_concurrency", 16, positive),
      attempts: read.integer("queue_pipeline_attempts", 10, positive),
      firstDelayMs: read.milliseconds("queue_pipeline_min_wait", "500ms"),
      maxDelayMs: read.milliseconds("queue_pipeline_max_wait", "60s"),
      timeoutMs: read.milliseconds("queue_pipeline_timeout", "30m"),
      bodyLimitBytes: read.integer("queue_pipeline_max_body", 8 * 1024 * 1024, positive),
    },
    invocations: {
      concurrency: read.integer("max_inflight", 32, positive),
      attempts: read.integer("max_retry_attempts", 10, positive),
      firstDelayMs: read.milliseconds("initial_retry_wait", "1s"),
      maxDelayMs: read.milliseconds("max_retry_wait", "120s"),
      timeoutMs: read.milliseconds("async_timeout", "15m"),
      bodyLimitBytes: read.integer("async_max_body", 1024 * 1024, positive),
    },
    callbacks: {
      concurrency: read.integer("async_callback_concurrency", 16, positive),
      attempts: read.integer("async_callback_attempts", 10, positive),
      firstDelayMs: read.milliseconds("async_callback_min_wait", "1s"),
      maxDelayMs: read.milliseconds("async_callback_max_wait", "10m"),
    },
    ownerPendingCalls: read.integer("async_owner_calls", 10_000, positive),
    ownerPendingBytes: read.integer("async_owner_bytes", 256 * 1024 * 1024, positive),
    publishTimeoutMs: read.milliseconds("queue_publish_timeout", "5s"),
    lockMs: read.milliseconds("queue_lock", "10s"),
    stalledCheckMs: read.milliseconds("queue_stalled_check", "2s"),
    keepDoneMs: read.age("async_keep_done", "1h"),
    keepDeadMs: read.age("async_keep_dead", "168h"),
    callbackPrivate: read.boolean("async_callback_private", false),
    callbackTimeoutMs: read.milliseconds("async_callback_timeout", "10s"),
    callbackBodyLimitBytes: read.integer("async_callback_max_body", 4 * 1024 * 1024, positive),
  });
  return { settings, sources: read.settings };
}
