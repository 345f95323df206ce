import type { Ledger } from "#ledger/types/ledger.ts";
import type { Owner } from "#ledger/types/owner.ts";
import type { UnixMs } from "#ledger/types/unix-ms.ts";

const HOUR_MS = 3_600_000;

/** Says why an owner may not have another build now, or `undefined` when it may. */
export type RefuseBuild = (owner: Pick<Owner, "id" | "login">) => string | undefined;

/** Keep one owner from taking the builder's hours from all. */
export function createBuildQuota(
  ledger: Pick<Ledger, "nthNewestBuild">,
  buildsPerHour: number,
  now: () => UnixMs,
): RefuseBuild {
  return ({ id, login }) => {
    const nthNewest = ledger.nthNewestBuild(id, buildsPerHour);
    return decideQuota({ login, nthNewest, buildsPerHour, now: now() });
  };
}

/** `nthNewest` is when the build was accepted that must be an hour old before another one is. */
function decideQuota({
  login,
  nthNewest,
  buildsPerHour,
  now,
}: {
  readonly login: string;
  readonly nthNewest: UnixMs | undefined;
  readonly buildsPerHour: number;
  readonly now: UnixMs;
}): string | undefined {
  if (nthNewest === undefined || nthNewest + HOUR_MS <= now) return undefined;
  // Rounded up, so that it is true when the clock shows that minute.
  const next = new Date(Math.ceil((nthNewest + HOUR_MS) / 60_000) * 60_000);
  const time = next.toISOString().slice(11, 16);
  return `${login} had ${buildsPerHour} builds within an hour (owner_builds_per_hour); the next one is possible at ${time} UTC`;
}
