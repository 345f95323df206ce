import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import type { Engine, KeptVersion } from "#provider/provider.ts";
import { formatVersionName } from "#sdk/names.ts";
import { findRetired, listVersions, shortSha } from "./list-versions.ts";

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

function keep({ ledger, engine, keepReleases }: KeepVersionsTools, service: string): void {
  const versions = listVersions(ledger, service, keepReleases).map((release) => ({
    ...secretsOf(ledger, release),
    name: formatVersionName(service, shortSha(release)),
    release: release.id,
    fence: release.fence,
    deployment: release.deployment,
    createdAt: new Date(release.declaredAt).toISOString(),
  }));
  engine.keepVersions(service, versions);
}

/** What serves may have been rolled back to: then what its secrets were before is still wanted. */
function secretsOf(ledger: Ledger, release: Release): Pick<KeptVersion, "secretsOf"> {
  const { state, insteadOf } = release;
  if (state !== "serving" || insteadOf === undefined) return {};
  const retired = findRetired(ledger, release);
  return retired === undefined ? {} : { secretsOf: retired.id };
}
