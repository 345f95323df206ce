import type { Artifact } from "#ledger/types/artifact.ts";
import type { UnixMs } from "#ledger/types/unix-ms.ts";

/**
 * How much an artefact is needed, by digest: 0 serves or is about to, n belongs to the n-th newest release
 * of a function. What no release has is not in it.
 */
export type Ranks = ReadonlyMap<string, number>;

export type ArtifactLimits = {
  /** Newest releases of a function whose artefacts are kept. */
  readonly keepReleases: number;
  /** How long an artefact that no release has is kept, for a push that needs it again. */
  readonly keepUnusedMs: number;
  /** Of one owner; above it earlier releases are dropped too. */
  readonly ownerBytes: number;
};

/** What to forget of one owner's artefacts. Never what serves or is about to. */
export function decideArtifacts(
  artifacts: readonly Artifact[],
  ranks: Ranks,
  { keepReleases, keepUnusedMs, ownerBytes }: ArtifactLimits,
  now: UnixMs,
): readonly Artifact[] {
  const rankOf = ({ digest }: Artifact) => ranks.get(digest) ?? Number.POSITIVE_INFINITY;
  const isKept = (one: Artifact) =>
    rankOf(one) <= keepReleases || (!ranks.has(one.digest) && now - one.createdAt < keepUnusedMs);
  const kept = new Map(artifacts.filter(isKept).map((one) => [one.digest, one]));

  // The least needed first; of equals the oldest.
  const order = [...kept.values()].sort(
    (a, b) => compare(rankOf(b), rankOf(a)) || a.createdAt - b.createdAt,
  );
  let bytes = order.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const one of order) {
    if (bytes < ownerBytes || rankOf(one) === 0) break;
    kept.delete(one.digest);
    bytes -= one.sizeBytes;
  }
  return artifacts.filter(({ digest }) => !kept.has(digest));
}

/** Also for two infinities. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** Something on disk that can be made again or done without. */
export type Evictable = {
  readonly path: string;
  readonly bytes: number;
  /** When it was last written. */
  readonly usedAt: UnixMs;
  /** What serves, is being built or is written to now. */
  readonly inUse: boolean;
};

/**
 * What to drop, oldest first, until `excessBytes` are given back; nothing in use, and nothing that was
 * used within `idleMs`.
 */
export function decideEvictions<T extends Evictable>(
  found: readonly T[],
  excessBytes: number,
  idleMs: number,
  now: UnixMs,
): readonly T[] {
  const idle = found.filter(({ inUse, usedAt }) => !inUse && now - usedAt >= idleMs);
  const dropped: T[] = [];
  let left = excessBytes;
  for (const one of idle.sort((a, b) => a.usedAt - b.usedAt)) {
    if (left <= 0) break;
    dropped.push(one);
    left -= one.bytes;
  }
  return dropped;
}

export function sumBytes(found: readonly { readonly bytes: number }[]): number {
  return found.reduce((sum, { bytes }) => sum + bytes, 0);
}
