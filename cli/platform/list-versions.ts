import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import { labels } from "#sdk/labels.ts";

/** Failed ones may lie between those that served. */
const RELEASES_LOOKED_AT = 200;

/**
 * What a function serves, and what it served before, the newest first: one release for each commit, as many
 * as their artefacts are kept for. Empty when the function is no more.
 */
export function listVersions(ledger: Ledger, service: string, count: number): Release[] {
  if (ledger.currentRelease(service) === undefined) return [];
  // Lazily: what is older than the last one kept is not looked for.
  return newestOfCommits(listEverServed(ledger, service))
    .values()
    .filter((release) => shortSha(release) !== "" && hasArtifact(ledger, release))
    .take(count)
    .toArray();
}

/** What served last of a release's commit before that release. */
export function findRetired(ledger: Ledger, release: Release): Release | undefined {
  const { service, fence } = release;
  const sha = shortSha(release);
  return listEverServed(ledger, service).find(
    (one) => one.fence !== fence && shortSha(one) === sha,
  );
}

/** What served once and can again, the newest first. */
export function listServed(
  ledger: Pick<Ledger, "hasArtifact" | "listReleases">,
  service: string,
): Release[] {
  return listEverServed(ledger, service).filter((release) => hasArtifact(ledger, release));
}

/** What served once, whether its artefact is still there or not. */
export function listEverServed(ledger: Pick<Ledger, "listReleases">, service: string): Release[] {
  return ledger
    .listReleases(service, RELEASES_LOOKED_AT)
    .filter(({ state }) => state === "serving" || state === "retired");
}

/** A commit may have been released more than once; what has none stands for itself. */
export function newestOfCommits(newestFirst: readonly Release[]): Release[] {
  const byCommit = new Map<string, Release>();
  for (const release of newestFirst) {
    const key = shortSha(release) || release.digest;
    if (!byCommit.has(key)) byCommit.set(key, release);
  }
  return [...byCommit.values()];
}

/** 7 hex digits, or nothing when it was not deployed by a push. */
export function shortSha({ deployment }: Release): string {
  return /^[0-9a-f]{7}/.exec(deployment.labels?.[labels.gitSha] ?? "")?.[0] ?? "";
}

function hasArtifact(ledger: Pick<Ledger, "hasArtifact">, { ownerId, digest }: Release): boolean {
  return ledger.hasArtifact(ownerId, digest);
}
