import type { Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";

/** Why a build stops without an end of its own: its claim is void. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/**
 * Renew a claim three times per lease and watch the build; `signal` aborts with LeaseLost when the claim
 * is void (superseded, cancelled, taken over), with what the ledger threw when it cannot be asked, or with
 * the caller's own reason.
 */
export function holdLease(
  ledger: Pick<Ledger, "renewClaim" | "watch" | "findBuild">,
  claim: Claim,
  leaseMs: number,
  caller: AbortSignal,
): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const renew = () => {
    if (!ledger.renewClaim(claim, leaseMs))
      controller.abort(new LeaseLost("The build was superseded, cancelled or taken over."));
  };
  const renewWhenEnded = () => {
    const state = ledger.findBuild(claim.build.id)?.state;
    if (state === "superseded" || state === "cancelled") renew();
  };
  // Thrown from a timer or a watcher it would end the process.
  const guarded = (look: () => void) => () => {
    try {
      look();
    } catch (error) {
      controller.abort(error);
    }
  };
  const timer = setInterval(guarded(renew), leaseMs / 3);
  const unwatch = ledger.watch(claim.build.id, guarded(renewWhenEnded));
  return {
    signal: AbortSignal.any([controller.signal, caller]),
    stop() {
      clearInterval(timer);
      unwatch();
    },
  };
}
