import type { Database } from "./database.ts";
import { integer } from "./row.ts";

/** The highest fence given out for the function, 0 before the first. It outlives removal. */
export function readFence(db: Database, service: string): number {
  const row = db.get("SELECT value FROM fences WHERE service = $service", { service });
  return row === undefined ? 0 : integer(row, "value");
}

/** The next fence, above every one given out and above what the engine reported. */
export function raiseFence(db: Database, service: string, minFence = 0): number {
  const fence = Math.max(readFence(db, service), minFence) + 1;
  db.run(
    `INSERT INTO fences VALUES ($service, $fence)
     ON CONFLICT (service) DO UPDATE SET value = $fence`,
    { service, fence },
  );
  return fence;
}
