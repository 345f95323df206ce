import type { Artifact } from "#ledger/types/artifact.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Retention } from "#ledger/types/retention.ts";
import type { UnixMs } from "#ledger/types/unix-ms.ts";
import { type Env, readEnv } from "#sdk/env.ts";
import type { Log } from "#sdk/log.ts";
import type { ArtifactStore } from "../../builder/host/artifact-store.ts";
import { readOwnerQuotas } from "../../functions/git-tar/owner-quotas.ts";
import {
  type ArtifactLimits,
  decideArtifacts,
  decideEvictions,
  sumBytes,
} from "./decide-garbage.ts";
import { type Cache, dropFolder, findCaches, findForgotten } from "./find-caches.ts";
import { digestsOf, rankArtifacts } from "./rank-artifacts.ts";
import { pruneLedger, readRetention } from "./retention.ts";

const MIB = 1_024 ** 2;
const DAY_MS = 24 * 3_600_000;
/** Builds remembered for each release that is kept: a commit may have been built more than once. */
const BUILDS_PER_RELEASE = 4;

export type GarbageSettings = ArtifactLimits & {
  /** Of mirrors, package caches and logs together. */
  readonly cacheBytes: number;
  /** Of one owner's build logs and functions' logs together. */
  readonly ownerLogBytes: number;
  /** How long a secret is kept that functions had and none has any more. */
  readonly keepSecretsMs: number;
  readonly retention: Retention;
  readonly intervalMs: number;
};

export function readGarbageSettings(env: Env): GarbageSettings {
  const read = readEnv(env);
  const mib = (name: string, fallback: number, min: number) =>
    read.integer(name, fallback, { min, max: 100_000_000 }) * MIB;
  const keepReleases = read.integer("keep_releases", 5, { min: 1, max: 1_000 });
  return read.done({
    keepReleases,
    keepUnusedMs: read.age("keep_unused_artifacts", "24h"),
    cacheBytes: mib("cache_ceiling_mib", 10_240, 0),
    ownerLogBytes: mib("owner_logs_mib", 512, 1),
    intervalMs: read.milliseconds("garbage_interval", "1h"),
    keepSecretsMs: read.integer("keep_secrets_days", 30, { min: 1, max: 36_500 }) * DAY_MS,
    ownerBytes: readOwnerQuotas(env).artifactBytes,
    retention: readRetention(env, keepReleases * BUILDS_PER_RELEASE),
  });
}

/** What is young may be in use by somebody whose record is still to come. */
export const IDLE_MS = 3_600_000;

export type GarbageTools = {
  readonly dataFolder: string;
  readonly ledger: Ledger;
  /** `…@sha256:<hex>` of what the engine runs, whatever the ledger says. */
  readonly runningImages: () => Promise<readonly string[]>;
  readonly artifacts: Pick<ArtifactStore, "sweep">;
  readonly settings: GarbageSettings;
  readonly log: Log;
  readonly now?: () => UnixMs;
};

export type Garbage = {
  /** Forget builds, deliveries, statuses and audit rows that are past their time. */
  pruneLedger(): Promise<void>;
  /** Drop artefacts that nothing needs; answers the digests that went from the disk. */
  collectArtifacts(): Promise<readonly string[]>;
  /** Drop caches beyond the ceiling, and logs beyond their owner's; answers their paths. */
  collectCaches(): Promise<readonly string[]>;
};

/** What the disk holds beyond what serves, can go back, or is primary data. */
export function createGarbage(tools: GarbageTools): Garbage {
  const { dataFolder, ledger, runningImages, settings, log, now = Date.now } = tools;

  return {
    pruneLedger: () => pruneLedger(ledger, settings.retention, log),

    async collectArtifacts() {
      const running = digestsOf(await runningImages());
      // From here to the last row in one turn: no build begins in between. The rows go before the folders,
      // so that a crash leaves folders that nobody promises, never a promise without its folder.
      forgetArtifacts(ledger, findUnneeded(tools, running, now()), log);
      return sweepArtifacts(tools, running);
    },

    async collectCaches() {
      const forgotten = await findForgotten(dataFolder, ledger);
      for (const path of forgotten) await dropFolder(path);
      const found = await findCaches(dataFolder, ledger);
      const evict = (some: readonly Cache[], limitBytes: number) =>
        decideEvictions(some, sumBytes(some) - limitBytes, IDLE_MS, now());
      const owned = Map.groupBy(found, ({ ownerId }) => ownerId);
      owned.delete(undefined);
      const logs = [...owned.values()].flatMap((theirs) => evict(theirs, settings.ownerLogBytes));
      const left = found.filter((one) => !logs.includes(one));
      const dropped = [...logs, ...evict(left, settings.cacheBytes)];
      await dropCaches(dropped, log);
      return [...forgotten, ...dropped.map(({ path }) => path)];
    },
  };
}

export async function dropCaches(caches: readonly Cache[], log: Log): Promise<void> {
  for (const { path, bytes, drop } of caches) {
    await drop();
    log.info("cache-dropped", { path, size_bytes: bytes });
  }
}

export function forgetArtifacts(
  ledger: Pick<Ledger, "forgetArtifact">,
  artifacts: readonly Artifact[],
  log: Log,
): void {
  for (const { ownerId, key, digest } of artifacts) {
    ledger.forgetArtifact(ownerId, key);
    log.info("artifact-forgotten", { owner_id: ownerId, digest });
  }
}

/** Remove the folders of what the ledger does not name and nothing runs. */
export async function sweepArtifacts(
  { ledger, artifacts }: Pick<GarbageTools, "ledger" | "artifacts">,
  running: ReadonlySet<string>,
): Promise<readonly string[]> {
  const kept = new Set(ledger.listArtifacts().map(({ digest }) => digest));
  return artifacts.sweep(new Set([...kept, ...running]));
}

function findUnneeded(
  { ledger, settings }: GarbageTools,
  running: ReadonlySet<string>,
  now: UnixMs,
): readonly Artifact[] {
  const byOwner = Map.groupBy(ledger.listArtifacts(), ({ ownerId }) => ownerId);
  return [...byOwner].flatMap(([ownerId, owned]) => {
    const ranks = rankArtifacts(ledger, ownerId, owned, running);
    return decideArtifacts(owned, ranks, settings, now);
  });
}
