import { createHash } from "node:crypto";
import type { Claim, Release } from "#ledger/types.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Tools } from "./tools.ts";
import { withRelease } from "./with-release.ts";

/**
 * Return a function to what it served before `undone`, from its release record and under a new fence;
 * a function that did not exist before is removed.
 */
export async function rollBack(
  tools: Tools,
  claim: Claim,
  undone: Release,
  log: Log,
): Promise<void> {
  const { ledger, gateway } = tools;
  const before = ledger
    .listReleases(undone.service, 20)
    .find(({ state, buildId }) => state === "retired" && buildId !== undone.buildId);
  try {
    if (before === undefined) {
      await gateway.remove(undone.service);
      ledger.removeFunction(undone.service);
    } else {
      const release = ledger.declareRelease(claim, { ...before, id: rollBackId(before, undone) });
      await gateway.deploy(withRelease(release, tools.now()));
      ledger.markRelease(release.id, release.service, "serving");
    }
    ledger.markRelease(undone.id, undone.service, "failed");
    log.info("function-rolled-back", { service: undone.service, to: before?.buildId });
  } catch (error) {
    // The next push or redeploy mends it; the status of this one says failed either way.
    log.error("roll-back-failed", { service: undone.service, error: describe(error) });
  }
}

function rollBackId(before: Release, undone: Release): string {
  return createHash("sha256").update(`${before.id} after ${undone.id}`).digest("hex").slice(0, 32);
}
