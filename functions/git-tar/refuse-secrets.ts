import type { Owner } from "#ledger/types/owner.ts";
import type { Plan } from "#ledger/types/plan.ts";
import type { Release } from "#ledger/types/release.ts";
import { quote } from "./stack-error.ts";

/**
 * Why a plan's secrets may be somebody else's, or `undefined`. A secret is stored as `<slug>-<name>`, so
 * that of owner `a` called `b-db` would be that of owner `a-b` called `db`: the longest slug has it, and
 * what serves with it keeps it.
 */
export function refuseSecrets(
  owner: Owner,
  { functions }: Plan,
  owners: readonly Owner[],
  serving: readonly Pick<Release, "ownerId" | "deployment">[],
): string | undefined {
  const longer = owners.filter(
    ({ id, slug }) => id !== owner.id && slug.length > owner.slug.length,
  );
  const theirs = new Set(
    serving
      .filter(({ ownerId }) => ownerId !== owner.id)
      .flatMap(({ deployment }) => deployment.secrets ?? []),
  );
  for (const { name, deployment } of functions) {
    for (const secret of deployment.secrets ?? []) {
      if (theirs.has(secret) || longer.some(({ slug }) => secret.startsWith(`${slug}-`)))
        return `functions.${name}.secrets: ${quote(secret)} may be another owner's; choose another name`;
    }
  }
  return undefined;
}
