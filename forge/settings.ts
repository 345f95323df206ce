import { type Env, readEnv } from "#sdk/env.ts";

/** Limits of the forge; every one has a default that suits one machine. */
export type ForgeSettings = {
  /** Largest pack of one push, in bytes. */
  readonly maxPushBytes: number;
  /** Largest repository on disk, in bytes; a push to a larger one is refused. */
  readonly maxRepositoryBytes: number;
  readonly maxRepositoriesPerOwner: number;
  /** Pushes and fetches of one owner that may run at the same moment. */
  readonly maxTransfersPerOwner: number;
  /** Refs of one push that make a webhook; branches come first. */
  readonly maxWebhooksPerPush: number;
  /** Longest silence of a client during a transfer, in milliseconds. */
  readonly transferIdleMs: number;
  /** Longest transfer in all, the wait for its build included, in milliseconds. */
  readonly transferLimitMs: number;
  /** How long a push waits for its build before it says that the build goes on, in milliseconds. */
  readonly pushWaitMs: number;
  /** Pause between two signs of life while nothing happens, in milliseconds. */
  readonly heartbeatMs: number;
  /** First pause before a webhook is sent again; it doubles up to five minutes. In milliseconds. */
  readonly retryMs: number;
  /** How long a webhook waits for its answer, in milliseconds. GitHub gives 10 s. */
  readonly webhookTimeoutMs: number;
};

const MIB = 1024 * 1024;

/** Read the forge's settings; a ConfigError names all that are wrong. */
export function readForgeSettings(env: Env): ForgeSettings {
  const read = readEnv(env);
  return read.done({
    maxPushBytes: read.integer("forge_max_push_mib", 512, { min: 1, max: 1_000_000 }) * MIB,
    maxRepositoryBytes:
      read.integer("forge_max_repository_mib", 2048, { min: 1, max: 10_000_000 }) * MIB,
    maxRepositoriesPerOwner: read.integer("forge_max_repositories", 100, { min: 1 }),
    maxTransfersPerOwner: read.integer("forge_max_transfers", 16, { min: 1 }),
    maxWebhooksPerPush: read.integer("forge_max_webhooks_per_push", 1000, { min: 1 }),
    transferIdleMs: read.milliseconds("forge_transfer_idle", "60s"),
    transferLimitMs: read.milliseconds("forge_transfer_limit", "1h"),
    pushWaitMs: read.milliseconds("forge_push_wait", "20m"),
    heartbeatMs: read.milliseconds("forge_heartbeat", "10s"),
    retryMs: read.milliseconds("forge_retry", "500ms"),
    webhookTimeoutMs: read.milliseconds("forge_webhook_timeout", "10s"),
  });
}
