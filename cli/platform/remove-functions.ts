import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import { HttpError } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import { splitVersionName } from "#sdk/names.ts";
import { listEverServed, shortSha } from "./list-versions.ts";

/**
 * Stop and forget functions: one by its name, or all of `<owner>/<repository>`; or one version, which then has
 * no address and cannot be gone back to. The commits stay.
 */
export async function removeFunctions(
  { ledger, gateway }: { readonly ledger: Ledger; readonly gateway: Pick<GatewayClient, "remove"> },
  target: string,
): Promise<{ readonly removed: readonly string[] }> {
  const version = splitVersionName(target);
  if (version !== undefined) return removeVersion(ledger, target, version);
  const releases = findReleases(ledger, target);
  for (const { service } of releases) {
    await gateway.remove(service);
    ledger.removeFunction(service);
  }
  return { removed: releases.map(({ service }) => service) };
}

function removeVersion(
  ledger: Ledger,
  target: string,
  { service, sha }: { readonly service: string; readonly sha: string },
): { readonly removed: readonly string[] } {
  const releases = listEverServed(ledger, service).filter((one) => shortSha(one) === sha);
  if (releases.some(({ state }) => state === "serving")) {
    throw new HttpError(
      409,
      "version-serves",
      `"${target}" is what "${service}" serves; push or roll back to another version first.`,
    );
  }
  if (releases.length === 0) {
    throw new HttpError(
      404,
      "no-such-target",
      `There is no version "${target}"; ./ofc versions ${service} lists those that are kept.`,
    );
  }
  for (const { id } of releases) ledger.markRelease(id, service, "failed");
  return { removed: [target] };
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
