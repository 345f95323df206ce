import type { Release } from "#ledger/types/release.ts";
import type { InventoryItem, ReleaseIdentity } from "#provider/provider.ts";

/** The engine serves `to` where the ledger says that `from` serves. */
export type EngineWentBack = {
  readonly from: ReleaseIdentity;
  readonly to: ReleaseIdentity;
  /** `after a crash loop: replica cart-1f2e3d4c exited with code 7` */
  readonly because: string;
};

/**
 * Did the engine go back to an earlier release without the ledger having heard of it? What it serves that
 * is newer is left to the build or the roll-back that deploys it, and what nobody here declared to the next
 * push.
 */
export function decideSwitchBack(
  { current, switchedBack }: Pick<InventoryItem, "current" | "switchedBack">,
  facts: {
    /** What serves, as far as the ledger knows. */
    readonly serving: Pick<Release, "id" | "fence"> | undefined;
    /** The ledger knows what the engine serves. */
    readonly isKnown: boolean;
  },
): EngineWentBack | undefined {
  const { serving, isKnown } = facts;
  if (serving === undefined || serving.id === current.release) return undefined;
  const from = { release: serving.id, fence: serving.fence };
  if (switchedBack?.from.release === from.release && switchedBack.from.fence === from.fence)
    return { from, to: current, because: `after a ${switchedBack.reason}` };
  if (isKnown && current.fence < serving.fence)
    return { from, to: current, because: "because the engine lost what came after it" };
  return undefined;
}
