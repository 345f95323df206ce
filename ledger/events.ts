import type { BuildEvent } from "#sdk/messages.ts";
import type { Database } from "./database.ts";
import { integer, json } from "./row.ts";
import { buildEvent } from "./shapes.ts";

/** Not synced by itself: a log line that a power cut takes is no promise broken, and there are many. */
export function addEvent(db: Database, buildId: string, event: BuildEvent): void {
  db.quickTransaction(() => {
    db.run(
      `INSERT INTO events (build_id, sequence, event)
       SELECT $buildId, coalesce(max(sequence), 0) + 1, $event FROM events
       WHERE build_id = $buildId`,
      { buildId, event: JSON.stringify(event) },
    );
    db.changed(buildId);
  });
}

export function listEvents(
  db: Database,
  buildId: string,
  afterSequence = 0,
): { readonly sequence: number; readonly event: BuildEvent }[] {
  return db
    .all(
      `SELECT sequence, event FROM events WHERE build_id = $buildId
         AND sequence > $afterSequence ORDER BY sequence`,
      { buildId, afterSequence },
    )
    .map((row) => ({
      sequence: integer(row, "sequence"),
      event: json(row, "event", buildEvent),
    }));
}
