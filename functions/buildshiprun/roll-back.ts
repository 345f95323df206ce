import { createHash } from "node:crypto";
import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { Release } from "#ledger/types/release.ts";
import { describe } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { Log } from "#sdk/log.ts";
import { deployRelease, isRefusal } from "./deploy-release.ts";
import { findOwn } from "./find-release.ts";
import { tell } from "./tell.ts";
import type { Tools } from "./tools.ts";

/**
 * Return a function to what it served before this build, from its release record and under a new fence; one
 * that was not there is removed. Does nothing where this build's release does not serve. What the engine
 * refuses is logged and told, because no later attempt would mend it; anything else is thrown.
 */
export async function rollBack(
  tools: Tools,
  claim: Claim,
  planned: PlannedFunction,
  before: Release | undefined,
  log: Log,
): Promise<void> {
  const { service } = planned;
  const undone = findOwn(tools.ledger, claim.build, service);
  if (undone === undefined) return;
  try {
    if (before === undefined) await remove(tools, claim, planned, undone);
    else if (await serves(tools, undone)) await goBack(tools, claim, before, undone);
    else return;
    log.info("function-rolled-back", { service, to: before?.buildId });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    log.error("roll-back-failed", { service, error: describe(error) });
    const text = `could not go back to what it served before: ${error.message}`;
    tell(tools, claim, { type: "log", name: planned.name, text });
  }
}

async function remove(
  tools: Tools,
  claim: Claim,
  { name, service }: PlannedFunction,
  undone: Release,
): Promise<void> {
  // What somebody else deployed under that name is not ours to remove.
  if (await isShown(tools, undone)) {
    await tools.gateway.remove(service);
    tell(tools, claim, { type: "function", name, step: "removed" });
  }
  tools.ledger.removeFunction(service);
}

async function goBack(tools: Tools, claim: Claim, before: Release, undone: Release): Promise<void> {
  const id = createHash("sha256").update(`${before.id} after ${undone.id}`).digest("hex");
  const draft = { ...before, id: id.slice(0, 32) };
  await deployRelease(tools, tools.ledger.declareRelease(claim, draft), (ahead) =>
    tools.ledger.declareRelease(claim, draft, ahead),
  );
}

/** As the ledger or the engine knows: a crash may have come between the two. */
async function serves(tools: Tools, release: Release): Promise<boolean> {
  const current = tools.ledger.currentRelease(release.service);
  return current?.id === release.id || (await isShown(tools, release));
}

async function isShown({ gateway }: Tools, { id, service }: Release): Promise<boolean> {
  return (await gateway.status(service))?.labels[labels.release] === id;
}
