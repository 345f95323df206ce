import type { Owner } from "#ledger/types/owner.ts";
import type { FunctionStatus } from "#sdk/messages.ts";

/**
 * Of the stored secrets those of an owner, `<slug>-<name>`, that nothing deployed has. What the slugs of two
 * owners begin is the longer one's.
 */
export function findSecrets(
  stored: readonly string[],
  { id, slug }: Owner,
  owners: readonly Owner[],
  deployed: readonly FunctionStatus[],
): string[] {
  const used = new Set(deployed.flatMap(({ secrets }) => secrets ?? []));
  const longer = owners.filter((one) => one.id !== id && one.slug.startsWith(`${slug}-`));
  return stored
    .filter((name) => name.startsWith(`${slug}-`) && !used.has(name))
    .filter((name) => !longer.some((one) => name.startsWith(`${one.slug}-`)));
}
