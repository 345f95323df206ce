import type { Release } from "#ledger/types/release.ts";
import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import { shortSha } from "./list-versions.ts";
import { hasSecretsVersion } from "./with-secrets-version.ts";

export type RollbackRequest = {
  readonly service: string;
  /** Beginning of a commit; the version before when absent. */
  readonly sha?: string;
  readonly withSecrets?: boolean;
};

/** What to go back to, of what served once, the newest first. Throws `no-such-version`. */
export function findTarget(
  current: Release,
  served: readonly Release[],
  { sha, withSecrets = false }: RollbackRequest,
): Release {
  const others = served.filter((one) => isOther(one, current, withSecrets));
  const target =
    sha === undefined
      ? others.find(({ generation }) => generation < current.generation)
      : others.find(({ deployment }) => deployment.labels?.[labels.gitSha]?.startsWith(sha));
  if (target !== undefined) return target;
  const known = [...new Set(others.map(shortSha))].join(", ");
  const what = sha === undefined ? "no earlier version" : `no other version of commit "${sha}"`;
  throw new HttpError(
    404,
    "no-such-version",
    `Function "${current.service}" has ${what}; ${known === "" ? "nothing else is kept" : `kept are ${known}`}.`,
  );
}

/** The commit that serves is another version where its secrets are to be others. */
function isOther(one: Release, current: Release, withSecrets: boolean): boolean {
  if (one.generation !== current.generation) return true;
  const serves = one.fence === current.fence;
  return withSecrets ? !serves : serves && hasSecretsVersion(one);
}
