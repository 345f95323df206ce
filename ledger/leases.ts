import {
  findStoredBuild,
  isLeased,
  isRunning,
  isTerminal,
  listOpen,
  type StoredBuild,
} from "./builds.ts";
import type { Database } from "./database.ts";
import { failExhausted, supersedeAbandoned } from "./endings.ts";
import type { Claim } from "./types/build.ts";

/**
 * Claims without an end after which a build fails (design.md section 6, line 13). One that is deploying is
 * carried to its end all the same: half a switch, or one that nobody recorded, has no true status.
 */
const ATTEMPT_LIMIT = 5;

/** Line 5. The build that takes over its branch ends the older ones whose workers are gone. */
export function claimBuild(
  db: Database,
  id: string,
  worker: string,
  leaseMs: number,
): Claim | undefined {
  return db.transaction(() => {
    const stored = findStoredBuild(db, id);
    if (stored === undefined || !isFree(db, stored)) return undefined;
    if (stored.build.attempts >= ATTEMPT_LIMIT && stored.build.state !== "deploying") {
      failExhausted(db, stored);
      return undefined;
    }
    supersedeAbandoned(db, stored.build);
    return lease(db, id, worker, leaseMs);
  });
}

/** A lease that ran out is renewed too while nobody took the build over. */
export function renewClaim(db: Database, { build, epoch }: Claim, leaseMs: number): boolean {
  return (
    db.run(
      `UPDATE builds SET leased_until = $leasedUntil
       WHERE id = $id AND epoch = $epoch AND ended_at IS NULL`,
      { id: build.id, epoch, leasedUntil: db.now() + leaseMs },
    ) === 1
  );
}

/** A void claim has nothing to give back. `uncounted` takes the attempt back, too. */
export function releaseClaim(db: Database, { build, epoch }: Claim, uncounted = false): void {
  db.transaction(() => {
    const released = db.run(
      `UPDATE builds SET epoch = epoch + 1, leased_by = NULL, leased_until = NULL,
         attempts = attempts - $uncounted
       WHERE id = $id AND epoch = $epoch AND ended_at IS NULL`,
      { id: build.id, epoch, uncounted: Number(uncounted) },
    );
    if (released === 1) db.changed(build.id);
  });
}

export function voidLeases(db: Database): void {
  db.run(
    `UPDATE builds SET epoch = epoch + 1, leased_by = NULL, leased_until = NULL
     WHERE leased_until IS NOT NULL`,
  );
}

function isFree(db: Database, stored: StoredBuild): boolean {
  if (isTerminal(stored.build) || isLeased(stored, db.now())) return false;
  return !listOpen(db, stored.build).some(
    (other) => other.build.id !== stored.build.id && isRunning(other, db.now()),
  );
}

function lease(db: Database, id: string, worker: string, leaseMs: number): Claim | undefined {
  const now = db.now();
  db.run(
    `UPDATE builds SET epoch = epoch + 1, attempts = attempts + 1, leased_by = $worker,
       leased_until = $leasedUntil, started_at = coalesce(started_at, $now),
       events_before = (SELECT coalesce(max(sequence), 0) FROM events WHERE build_id = $id)
     WHERE id = $id`,
    { id, worker, leasedUntil: now + leaseMs, now },
  );
  db.changed(id);
  const leased = findStoredBuild(db, id);
  return leased && { build: leased.build, epoch: leased.epoch };
}
