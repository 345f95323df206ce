import type { Database, Row } from "./database.ts";
import { integer, text } from "./row.ts";
import type { Artifact } from "./types/artifact.ts";
import type { OwnerId } from "./types/owner.ts";

/** Line 7: the first complete build of a key wins; the artifact in force is answered. */
export function recordArtifact(db: Database, artifact: Artifact): Artifact {
  return db.transaction(() => {
    const { ownerId, key, digest, image, sizeBytes, createdAt } = artifact;
    db.run(
      `INSERT INTO artifacts VALUES ($ownerId, $key, $digest, $image, $sizeBytes, $createdAt)
       ON CONFLICT DO NOTHING`,
      { ownerId, key, digest, image, sizeBytes, createdAt },
    );
    return findArtifact(db, ownerId, key) ?? artifact;
  });
}

export function findArtifact(db: Database, ownerId: OwnerId, key: string): Artifact | undefined {
  const row = db.get("SELECT * FROM artifacts WHERE owner_id = $ownerId AND key = $key", {
    ownerId,
    key,
  });
  return row && parseArtifact(row);
}

export function hasArtifact(db: Database, ownerId: OwnerId, digest: string): boolean {
  const sql = "SELECT 1 FROM artifacts WHERE owner_id = $ownerId AND digest = $digest LIMIT 1";
  return db.get(sql, { ownerId, digest }) !== undefined;
}

/** Oldest first. */
export function listArtifacts(db: Database): Artifact[] {
  return db.all("SELECT * FROM artifacts ORDER BY created_at, owner_id, key").map(parseArtifact);
}

export function forgetArtifact(db: Database, ownerId: OwnerId, key: string): void {
  db.transaction(() => {
    const digest = findArtifact(db, ownerId, key)?.digest;
    if (digest === undefined) return;
    db.run("DELETE FROM artifacts WHERE owner_id = $ownerId AND key = $key", { ownerId, key });
    for (const row of db.all(
      "SELECT DISTINCT service FROM releases WHERE owner_id = $ownerId AND digest = $digest",
      { ownerId, digest },
    ))
      db.releasesChanged(text(row, "service"));
  });
}

function parseArtifact(row: Row): Artifact {
  return {
    ownerId: text(row, "owner_id"),
    key: text(row, "key"),
    digest: text(row, "digest"),
    image: text(row, "image"),
    sizeBytes: integer(row, "size_bytes"),
    createdAt: integer(row, "created_at"),
  };
}
