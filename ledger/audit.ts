import type { Database } from "./database.ts";

export type AuditEntry = {
  readonly source: string;
  readonly message: string;
  readonly owner: string;
  readonly repository: string;
};

/** Append only. */
export function recordAudit(db: Database, entry: AuditEntry): void {
  const { source, message, owner, repository } = entry;
  db.run(
    `INSERT INTO audit (at, source, message, owner, repository)
     VALUES ($at, $source, $message, $owner, $repository)`,
    { at: db.now(), source, message, owner, repository },
  );
}
