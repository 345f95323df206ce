import type { Database, Row } from "./database.ts";
import { flag, integer, text } from "./row.ts";
import type { OwnerId } from "./types/owner.ts";
import type { Repository, RepositoryId } from "./types/repository.ts";

/** Remember what the source last said about the repository. */
export function recordRepository(db: Database, repository: Repository): void {
  db.run(
    `INSERT INTO repositories VALUES ($id, $ownerId, $name, $fullName, $cloneUrl, $url, $private,
       $defaultBranch, $installationId)
     ON CONFLICT (id) DO UPDATE SET owner_id = $ownerId, name = $name, full_name = $fullName,
       clone_url = $cloneUrl, url = $url, private = $private, default_branch = $defaultBranch,
       installation_id = $installationId`,
    {
      id: repository.id,
      ownerId: repository.ownerId,
      name: repository.name,
      fullName: repository.fullName,
      cloneUrl: repository.cloneUrl,
      url: repository.url,
      private: Number(repository.private),
      defaultBranch: repository.defaultBranch,
      installationId: repository.installationId,
    },
  );
}

export function findRepository(db: Database, id: RepositoryId): Repository | undefined {
  const row = db.get("SELECT * FROM repositories WHERE id = $id", { id });
  return row && parseRepository(row);
}

export function listRepositories(db: Database, ownerId?: OwnerId): Repository[] {
  return db
    .all(
      `SELECT * FROM repositories WHERE $ownerId IS NULL OR owner_id = $ownerId
       ORDER BY full_name`,
      { ownerId: ownerId ?? null },
    )
    .map(parseRepository);
}

function parseRepository(row: Row): Repository {
  return {
    id: text(row, "id"),
    ownerId: text(row, "owner_id"),
    name: text(row, "name"),
    fullName: text(row, "full_name"),
    cloneUrl: text(row, "clone_url"),
    url: text(row, "url"),
    private: flag(row, "private"),
    defaultBranch: text(row, "default_branch"),
    installationId: integer(row, "installation_id"),
  };
}
