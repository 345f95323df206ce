import type { Release } from "#ledger/types/release.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Tools } from "./tools.ts";
import { withDeployTime } from "./with-deploy-time.ts";

/**
 * Deploy a declared release and record that it serves. A fence that the engine has passed is lifted above
 * it with `declareAbove` and tried once more.
 */
export async function deployRelease(
  { ledger, gateway, now }: Pick<Tools, "ledger" | "gateway" | "now">,
  declared: Release,
  declareAbove: (fence: number) => Release,
): Promise<Release> {
  let release = declared;
  try {
    await gateway.deploy(withDeployTime(release, now()));
  } catch (error) {
    const ahead = fenceAhead(error);
    if (ahead === undefined) throw error;
    release = declareAbove(ahead);
    await gateway.deploy(withDeployTime(release, now()));
  }
  ledger.markRelease(release.id, release.service, "serving");
  return release;
}

/** The engine's last word: a later attempt would hear the same. */
export function isRefusal(error: unknown): error is HttpError {
  return error instanceof HttpError && error.status < 500 && !PASSING.includes(error.status);
}

/** What a gateway answers about the caller or the moment, not about the release. */
const PASSING: readonly number[] = [401, 403, 408, 429];

/** The fence in force of a `stale-fence` refusal (provider/provider.ts). */
function fenceAhead(error: unknown): number | undefined {
  const isStale = error instanceof HttpError && error.code === "stale-fence";
  const fence = isStale ? /\bis at fence (\d+)/.exec(error.message)?.[1] : undefined;
  return fence === undefined ? undefined : Number(fence);
}
