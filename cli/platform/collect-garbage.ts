import type { Artifact, Ledger, UnixMs } from "#ledger/types.ts";
import { type Env, readEnv } from "#sdk/env.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { ArtifactStore } from "../../builder/host/artifact-store.ts";
import { readOwnerQuotas } from "../../functions/git-tar/owner-quotas.ts";
import {
  type ArtifactLimits,
  decideArtifacts,
  decideEvictions,
  type Ranks,
} from "./decide-garbage.ts";
import { findCaches } from "./find-caches.ts";

export type GarbageSettings = ArtifactLimits & {
  /** Of mirrors, package caches and build logs together. */
  readonly cacheBytes: number;
  readonly intervalMs: number;
};

export function readGarbageSettings(env: Env): GarbageSettings {
  const read = readEnv(env);
  return read.done({
    keepReleases: read.integer("keep_releases", 5, { min: 1, max: 1_000 }),
    keepUnusedMs: read.milliseconds("keep_unused_artifacts", "24h"),
    cacheBytes:
      read.integer("cache_ceiling_mib", 10_240, { min: 0, max: 100_000_000 }) * 1_024 ** 2,
    intervalMs: read.milliseconds("garbage_interval", "1h"),
    ownerBytes: readOwnerQuotas(env).artifactBytes,
  });
}

/** What is young may be in use by somebody whose record is still to come. */
const IDLE_MS = 3_600_000;

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
  /** Drop artefacts that nothing needs; answers the digests that went from the disk. */
  collectArtifacts(): Promise<readonly string[]>;
  /** Drop caches beyond the ceiling; answers their paths. */
  collectCaches(): Promise<readonly string[]>;
};

/** What the disk holds beyond what serves, can go back, or is primary data. */
export function createGarbage(tools: GarbageTools): Garbage {
  const { dataFolder, ledger, runningImages, artifacts, settings, log, now = Date.now } = tools;

  return {
    async collectArtifacts() {
      const running = digestsOf(await runningImages());
      // From here to the last row in one turn: no build begins in between. The rows go before the folders,
      // so that a crash leaves folders that nobody promises, never a promise without its folder.
      for (const { ownerId, key, digest } of findUnneeded(tools, running, now())) {
        ledger.forgetArtifact(ownerId, key);
        log.info("artifact-forgotten", { owner_id: ownerId, digest });
      }
      const kept = new Set(ledger.listArtifacts().map(({ digest }) => digest));
      return artifacts.sweep(new Set([...kept, ...running]));
    },

    async collectCaches() {
      const busy = [...ledger.listOpen().map(({ id }) => id), ...serving(ledger)];
      const found = await findCaches(dataFolder, new Set(busy));
      const dropped = decideEvictions(found, settings.cacheBytes, IDLE_MS, now());
      for (const { path, bytes, drop } of dropped) {
        await drop();
        log.info("cache-dropped", { path, size_bytes: bytes });
      }
      return dropped.map(({ path }) => path);
    },
  };
}

/** Collect now and every hour; the returned function stops it. */
export function startGarbage(garbage: Garbage, intervalMs: number, log: Log): () => void {
  const collect = async () => {
    for (const work of [garbage.collectArtifacts, garbage.collectCaches])
      await work().catch((error: unknown) =>
        log.warn("garbage-not-collected", { error: describe(error) }),
      );
  };
  let running = collect();
  const timer = setInterval(() => {
    running = running.then(collect);
  }, intervalMs);
  return () => clearInterval(timer);
}

function findUnneeded(
  { ledger, settings }: GarbageTools,
  running: ReadonlySet<string>,
  now: UnixMs,
): readonly Artifact[] {
  const byOwner = Map.groupBy(ledger.listArtifacts(), ({ ownerId }) => ownerId);
  return [...byOwner].flatMap(([ownerId, owned]) =>
    decideArtifacts(owned, rank(ledger, ownerId, owned, running, settings), settings, now),
  );
}

function rank(
  ledger: Ledger,
  ownerId: string,
  owned: readonly Artifact[],
  running: ReadonlySet<string>,
  settings: Pick<GarbageSettings, "keepReleases">,
): Ranks {
  const ranks = new Map<string, number>();
  const note = (digest: string, value: number) =>
    ranks.set(digest, Math.min(value, ranks.get(digest) ?? value));
  const open = ledger.listOpen().filter((build) => build.ownerId === ownerId);
  const planned = new Set(open.flatMap(({ plan }) => plan?.functions ?? []).map(({ key }) => key));
  for (const { key, digest } of owned) if (planned.has(key) || running.has(digest)) note(digest, 0);
  for (const { service, digest: current } of ledger.listServing({ ownerId })) {
    note(current, 0);
    // The same content may have been released more than once.
    const releases = ledger.listReleases(service, settings.keepReleases * 4);
    const digests = new Set(releases.map(({ digest }) => digest));
    for (const [index, digest] of [...digests].entries()) note(digest, index + 1);
  }
  return ranks;
}

function serving(ledger: Ledger): readonly string[] {
  return ledger.listServing({}).map(({ buildId }) => buildId);
}

/** `…@sha256:<hex>` */
function digestsOf(images: readonly string[]): ReadonlySet<string> {
  return new Set(images.flatMap((image) => /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] ?? []));
}
