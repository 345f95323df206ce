import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";

/** A build's own releases are the newest of a function. */
const OWN_LIMIT = 20;
/** Failed ones may lie between a release and the one it replaced. */
const BEFORE_LIMIT = 1_000;

type Releases = Pick<Ledger, "currentRelease" | "listReleases">;

/** The release that a build declared for a function, not the one that took the function back. */
export function findOwn(ledger: Releases, build: Build, service: string): Release | undefined {
  return ledger.listReleases(service, OWN_LIMIT).findLast(({ buildId }) => buildId === build.id);
}

/** What a function served before a build switched it; `undefined` when it was not there. */
export function findBefore(ledger: Releases, build: Build, service: string): Release | undefined {
  const current = ledger.currentRelease(service);
  if (current?.buildId !== build.id) return current;
  // An attempt was killed after it had switched; what it replaced is the last that was retired.
  return ledger
    .listReleases(service, BEFORE_LIMIT)
    .find(
      ({ state, fence, buildId, repositoryId }) =>
        state === "retired" &&
        fence < current.fence &&
        buildId !== build.id &&
        repositoryId === build.repositoryId,
    );
}
