import type { Database } from "./database.ts";
import { text } from "./row.ts";
import type { UnixMs } from "./types/unix-ms.ts";

/** A secret that is no longer stored is forgotten: the next of its name is another. */
export function noteSecretUses(
  db: Database,
  stored: readonly string[],
  isUsed: (name: string) => boolean,
  before: UnixMs,
): string[] {
  return db.transaction(() => {
    db.run("DELETE FROM secret_uses WHERE name NOT IN (SELECT value FROM json_each($stored))", {
      stored: JSON.stringify(stored),
    });
    for (const name of stored.filter(isUsed))
      db.run(
        `INSERT INTO secret_uses VALUES ($name, $now)
         ON CONFLICT (name) DO UPDATE SET used_at = $now`,
        { name, now: db.now() },
      );
    return db
      .all("SELECT name FROM secret_uses WHERE used_at <= $before ORDER BY name", { before })
      .map((row) => text(row, "name"))
      .filter((name) => !isUsed(name));
  });
}
