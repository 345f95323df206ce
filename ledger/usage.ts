import type { Database } from "./database.ts";
import { integer } from "./row.ts";
import type { OwnerId } from "./types/owner.ts";
import type { RepositoryId } from "./types/repository.ts";
import type { UnixMs } from "./types/unix-ms.ts";

/** When the owner's n-th newest build was accepted; `undefined` when there are fewer. */
export function nthNewestBuild(db: Database, ownerId: OwnerId, n: number): UnixMs | undefined {
  const row = db.get(
    `SELECT accepted_at FROM builds WHERE owner_id = $ownerId
     ORDER BY sequence DESC LIMIT 1 OFFSET $skipped`,
    { ownerId, skipped: n - 1 },
  );
  return row && integer(row, "accepted_at");
}

/** Names of the owner that serve or that a build under way will deploy, but for those of one repository. */
export function countFunctions(
  db: Database,
  ownerId: OwnerId,
  exceptRepositoryId: RepositoryId,
): number {
  const row = db.get(
    `SELECT COUNT(*) AS functions FROM (
       SELECT service FROM releases
       WHERE state = 'serving' AND owner_id = $ownerId AND repository_id <> $exceptRepositoryId
       UNION
       SELECT json_extract(planned.value, '$.service') FROM builds, json_each(builds.plan, '$.functions') AS planned
       WHERE ended_at IS NULL AND owner_id = $ownerId AND repository_id <> $exceptRepositoryId)`,
    { ownerId, exceptRepositoryId },
  );
  return row === undefined ? 0 : integer(row, "functions");
}

/** Bytes of the owner's artifacts; those of equal content are there once. */
export function sumArtifacts(db: Database, ownerId: OwnerId): number {
  const row = db.get(
    `SELECT COALESCE(SUM(size), 0) AS bytes FROM (
       SELECT MAX(size_bytes) AS size FROM artifacts WHERE owner_id = $ownerId GROUP BY digest)`,
    { ownerId },
  );
  return row === undefined ? 0 : integer(row, "bytes");
}
