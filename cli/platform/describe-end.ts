import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { STACK_CONTEXT } from "#sdk/stack-status.ts";

/** Why a build ended as it did; for one that ended live, what its commit had to be told since. */
export function describeEnd(ledger: Pick<Ledger, "listStatuses">, build: Build): string {
  const { id, state, reason, repositoryId, sha } = build;
  if (state !== "live") return reason;
  const whole = ledger
    .listStatuses(repositoryId, sha)
    .find(({ context, buildId }) => context === STACK_CONTEXT && buildId === id);
  return whole?.state === "failure" ? whole.description : reason;
}
