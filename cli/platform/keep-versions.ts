import type { Ledger, Release } from "#ledger/types.ts";
import type { Engine } from "#provider/provider.ts";
import { formatVersionName } from "#sdk/names.ts";
import { listServed, shortSha } from "./roll-back-function.ts";

export type KeepVersionsTools = {
  readonly ledger: Ledger;
  readonly engine: Pick<Engine, "keepVersions">;
  /** Of each function, the one that serves included. */
  readonly keepReleases: number;
};

/** Tell the engine which versions have addresses of their own, now and after each change; the returned function stops it. */
export function startKeepingVersions(tools: KeepVersionsTools): () => void {
  const { ledger } = tools;
  for (const { service } of ledger.listServing({})) keep(tools, service);
  return ledger.watchReleases((service) => keep(tools, service));
}

/**
 * What a function serves, and what it served before, the newest first: one release for each commit. Empty
 * when it is no more.
 */
export function listVersions(ledger: Ledger, service: string, count: number): Release[] {
  if (ledger.currentRelease(service) === undefined) return [];
  const bySha = new Map<string, Release>();
  for (const release of listServed(ledger, service)) {
    const sha = shortSha(release);
    if (/^[0-9a-f]{7}$/.test(sha) && !bySha.has(sha)) bySha.set(sha, release);
  }
  return [...bySha.values()].slice(0, count);
}

function keep({ ledger, engine, keepReleases }: KeepVersionsTools, service: string): void {
  const versions = listVersions(ledger, service, keepReleases).map((release) => ({
    name: formatVersionName(service, shortSha(release)),
    release: release.id,
    fence: release.fence,
    deployment: release.deployment,
    createdAt: new Date(release.declaredAt).toISOString(),
  }));
  engine.keepVersions(service, versions);
}
