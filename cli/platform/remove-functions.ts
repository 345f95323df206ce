import type { Ledger, Release } from "#ledger/types.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";

/** Stop and forget functions: one by its name, or all of `<owner>/<repository>`. The commits stay. */
export async function removeFunctions(
  { ledger, gateway }: { readonly ledger: Ledger; readonly gateway: GatewayClient },
  target: string,
): Promise<{ readonly removed: readonly string[] }> {
  const releases = findReleases(ledger, target);
  for (const { service } of releases) {
    await gateway.remove(service);
    ledger.removeFunction(service);
  }
  return { removed: releases.map(({ service }) => service) };
}

function findReleases(ledger: Ledger, target: string): Release[] {
  const one = ledger.currentRelease(target);
  if (one !== undefined) return [one];
  const repository = ledger
    .listRepositories()
    .find(({ fullName }) => fullName.toLowerCase() === target.toLowerCase());
  const releases =
    repository === undefined ? [] : ledger.listServing({ repositoryId: repository.id });
  if (releases.length === 0) {
    throw new HttpError(
      404,
      "no-such-target",
      `"${target}" is no deployed function and no <owner>/<repository> with one; ./ofc status lists them.`,
    );
  }
  return releases;
}
