import type { Database } from "./database.ts";

export type AuditEntry = {
  readonly source: string;
  readonly message: string;
  readonly owner: string;
  readonly repository: string;
};

/** Append only. */
export function recordAudit(db: Database, entries: readonly AuditEntry[]): void {
  db.transaction(() => {
    for (const { source, message, owner, repository } of entries)
      db.run(
        `INSERT INTO audit (at, source, message, owner, repository)
         VALUES ($at, $source, $message, $owner, $repository)`,
        { at: db.now(), source, message, owner, repository },
      );
  });
}
