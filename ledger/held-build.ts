import { findStoredBuild, isTerminal, type StoredBuild } from "./builds.ts";
import type { Database } from "./database.ts";
import { ClaimLost } from "./errors.ts";
import type { Claim } from "./types/build.ts";

/**
 * The build as it is now, or ClaimLost. Inside a transaction (they begin immediate) what follows is a
 * compare-and-set on the epoch: nobody else writes until it commits (design.md section 6, line 5).
 */
export function requireHeld(db: Database, claim: Claim): StoredBuild {
  const stored = findStoredBuild(db, claim.build.id);
  if (stored === undefined || stored.epoch !== claim.epoch || isTerminal(stored.build))
    throw new ClaimLost(claim.build.id);
  return stored;
}
