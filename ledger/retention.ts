import type { Database } from "./database.ts";
import { integer, text } from "./row.ts";
import { NEVER } from "./statuses.ts";
import type { OwnerId } from "./types/owner.ts";
import type { Pruned, Retention } from "./types/retention.ts";
import type { UnixMs } from "./types/unix-ms.ts";

/**
 * Drop up to `batch` rows of each kind that nothing needs any more, in one transaction; all zeros when
 * nothing is left to drop. A build goes with its events, statuses, releases and delivery, so that what
 * is still known about it is whole.
 */
export function prune(db: Database, retention: Retention, batch: number): Pruned {
  return db.transaction(() => ({
    builds: pruneBuilds(db, retention, batch),
    deliveries: pruneDeliveries(db, retention, batch),
    statuses: pruneStatuses(db, retention, batch),
    audit: pruneAudit(db, retention, batch),
  }));
}

function pruneBuilds(db: Database, retention: Retention, batch: number): number {
  const owners = db.all("SELECT id FROM owners").map((row) => text(row, "id"));
  const ids: string[] = [];
  for (const ownerId of owners) {
    if (ids.length < batch)
      ids.push(...findUnneeded(db, ownerId, retention, db.now(), batch - ids.length));
  }
  for (const id of ids) forgetBuild(db, id);
  return ids.length;
}

/**
 * Ended builds that are old or too many, and that no promise needs: not the newest of a branch, nor its
 * newest live one, no status to tell, no release that serves or can be gone back to, and no delivery that
 * a source may still repeat. Oldest first.
 */
function findUnneeded(
  db: Database,
  ownerId: OwnerId,
  { buildsMs, buildsPerOwner, repeatMs, releases }: Retention,
  now: UnixMs,
  limit: number,
): string[] {
  return db
    .all(
      `SELECT b.id FROM builds b
       WHERE b.owner_id = $ownerId AND b.ended_at <= $settled
         AND (b.ended_at <= $old OR b.sequence <= $surplus)
         AND EXISTS (SELECT 1 FROM builds n WHERE n.repository_id = b.repository_id
           AND n.branch = b.branch AND n.generation > b.generation)
         AND (b.state <> 'live' OR EXISTS (SELECT 1 FROM builds n
           WHERE n.repository_id = b.repository_id AND n.branch = b.branch
             AND n.generation > b.generation AND n.state = 'live'))
         AND NOT EXISTS (SELECT 1 FROM statuses s WHERE s.build_id = b.id
           AND s.sent_version < s.version AND s.retry_at < $never)
         AND NOT EXISTS (SELECT 1 FROM deliveries d
           WHERE d.build_id = b.id AND d.received_at > $settled)
         AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.build_id = b.id AND ${IS_NEEDED})
       ORDER BY b.sequence LIMIT $limit`,
      {
        ownerId,
        settled: now - repeatMs,
        old: now - Math.max(buildsMs, repeatMs),
        surplus: findSurplus(db, ownerId, buildsPerOwner),
        never: NEVER,
        releases,
        limit,
      },
    )
    .map((row) => text(row, "id"));
}

/** A release `r` that serves, or that its function, which is still there, can go back to. */
const IS_NEEDED = `(r.state = 'serving' OR (
  EXISTS (SELECT 1 FROM name_claims c WHERE c.kind = 'function' AND c.name = r.service
    AND c.owner_id = r.owner_id AND c.freed_at IS NULL)
  AND r.state <> 'failed'
  AND (SELECT count(DISTINCT build_id) FROM (SELECT n.build_id FROM releases n
    WHERE n.service = r.service AND n.fence > r.fence AND n.state IN ('serving', 'retired')
    LIMIT 20 * $releases)) < $releases))`;

/** Sequence of the newest build that the owner's `kept` newest ones leave over; 0 for none. */
function findSurplus(db: Database, ownerId: OwnerId, kept: number): number {
  const row = db.get(
    `SELECT sequence FROM builds WHERE owner_id = $ownerId
     ORDER BY sequence DESC LIMIT 1 OFFSET $kept`,
    { ownerId, kept },
  );
  return row === undefined ? 0 : integer(row, "sequence");
}

function forgetBuild(db: Database, id: string): void {
  for (const table of ["events", "statuses", "releases", "deliveries"])
    db.run(`DELETE FROM ${table} WHERE build_id = $id`, { id });
  db.run("DELETE FROM builds WHERE id = $id", { id });
}

/** Those that made no build; the others go with theirs. */
function pruneDeliveries(
  db: Database,
  { deliveriesMs, repeatMs }: Retention,
  limit: number,
): number {
  return db.run(
    `DELETE FROM deliveries WHERE sequence IN (SELECT sequence FROM deliveries
       WHERE build_id IS NULL AND received_at <= $old ORDER BY received_at LIMIT $limit)`,
    { old: db.now() - Math.max(deliveriesMs, repeatMs), limit },
  );
}

/** Those without a build, of skipped and refused pushes, once they are told or given up. */
function pruneStatuses(db: Database, { buildsMs, repeatMs }: Retention, limit: number): number {
  return db.run(
    `DELETE FROM statuses WHERE (repository_id, sha, context) IN (
       SELECT repository_id, sha, context FROM statuses
       WHERE build_id IS NULL AND wanted_at <= $old
         AND (sent_version >= version OR retry_at >= $never) LIMIT $limit)`,
    { old: db.now() - Math.max(buildsMs, repeatMs), never: NEVER, limit },
  );
}

function pruneAudit(db: Database, { auditMs }: Retention, limit: number): number {
  return db.run(
    `DELETE FROM audit WHERE sequence IN (
       SELECT sequence FROM audit WHERE at <= $old ORDER BY at LIMIT $limit)`,
    { old: db.now() - auditMs, limit },
  );
}
