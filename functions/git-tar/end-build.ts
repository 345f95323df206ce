import type { Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Log } from "#sdk/log.ts";
import type { Ending } from "./build-failed.ts";
import { endedEvent } from "./ended-event.ts";
import { type Commit, endStatuses } from "./statuses.ts";

/** Line 11: the terminal state and what the commit shall show, in one transaction. Throws ClaimLost. */
export function endBuild(
  ledger: Ledger,
  commit: Commit,
  claim: Claim,
  ending: Ending,
  log: Log,
): void {
  const { state, reason } = ending;
  const build = ledger.findBuild(claim.build.id) ?? claim.build;
  ledger.endBuild(claim, state, reason, endStatuses(commit, build.plan, ending));
  ledger.addEvent(build.id, endedEvent(commit, build, ending, Date.now()));
  log.info("build-ended", { state, reason });
}
