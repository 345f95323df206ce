import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import type { WantedStatus } from "#ledger/types/status.ts";
import type { Correction } from "#ledger/types/switch-back.ts";
import { stackStatus } from "#sdk/stack-status.ts";
import { type StatusUrls, statusUrl } from "#sdk/status-urls.ts";

type Builds = Pick<Ledger, "findBuild" | "findOwner" | "findRepository" | "listBuilds">;

/** Newer builds of a branch that may have left a function as it was; it is found out within seconds. */
const BUILDS_LOOKED_AT = 100;

/** What the builds that said a release serves have to say after all; `say` has the function's name in stack.yml. */
export function correctBuilds(
  ledger: Builds,
  urls: StatusUrls,
  release: Release,
  say: (name: string) => string,
): Correction[] {
  return listTellers(ledger, release).flatMap((build) => {
    const name = build.plan?.functions.find(({ service }) => service === release.service)?.name;
    if (name === undefined) return [];
    const reason = say(name);
    return [{ build, name, reason, statuses: failureStatuses(ledger, urls, build, name, reason) }];
  });
}

/** The build that deployed it, and each newer one of the branch, which has kept it. */
function listTellers(ledger: Builds, { buildId, insteadOf }: Release): Build[] {
  const own = ledger.findBuild(buildId);
  if (own === undefined) return [];
  // A roll-back by hand speaks for no push but the one it put back.
  if (insteadOf !== undefined) return [own];
  const { repositoryId, branch, generation } = own;
  return ledger
    .listBuilds({ repositoryId, branch, limit: BUILDS_LOOKED_AT })
    .filter((build) => build.generation >= generation && build.state === "live");
}

function failureStatuses(
  ledger: Builds,
  urls: StatusUrls,
  { ownerId, repositoryId, sha }: Build,
  functionName: string,
  reason: string,
): WantedStatus[] {
  const owner = ledger.findOwner(ownerId);
  const repository = ledger.findRepository(repositoryId);
  if (owner === undefined || repository === undefined) return [];
  const about = { state: "failure", owner, repository, sha } as const;
  return [
    stackStatus("failure", reason, statusUrl(urls, about)),
    {
      context: functionName,
      state: "failure",
      description: reason,
      targetUrl: statusUrl(urls, { ...about, functionName }),
    },
  ];
}
