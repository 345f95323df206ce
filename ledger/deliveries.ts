import type { Database, Row } from "./database.ts";
import { integer, oneOf, optionalText, text } from "./row.ts";
import type { Decision, Delivery } from "./types/delivery.ts";

const DECISIONS: readonly Decision[] = ["queued", "skipped", "ignored", "refused", "duplicate"];

/**
 * False, and no effect, when the key was known (design.md section 6, line 2). A refusal is no answer for
 * good: its cause may be gone when the delivery comes again, and what is decided then takes its place.
 */
export function recordDelivery(db: Database, delivery: Delivery): boolean {
  return db.quickTransaction(() => insert(db, delivery));
}

function insert(db: Database, delivery: Delivery): boolean {
  return (
    db.run(
      `INSERT INTO deliveries (key, event, received_at, decision, reason, status, owner_login,
         repository, ref, sha, build_id)
       VALUES ($key, $event, $receivedAt, $decision, $reason, $status, $ownerLogin,
         $repository, $ref, $sha, $buildId)
       ON CONFLICT (key) DO UPDATE SET decision = $decision, reason = $reason, status = $status,
         owner_login = $ownerLogin, repository = $repository, ref = $ref, sha = $sha,
         build_id = $buildId
       WHERE deliveries.decision = 'refused'`,
      {
        key: delivery.key,
        event: delivery.event,
        receivedAt: delivery.receivedAt,
        decision: delivery.decision,
        reason: delivery.reason,
        status: delivery.status,
        ownerLogin: delivery.ownerLogin ?? null,
        repository: delivery.repository ?? null,
        ref: delivery.ref ?? null,
        sha: delivery.sha ?? null,
        buildId: delivery.buildId ?? null,
      },
    ) === 1
  );
}

/** A retry replaces what was decided at first; the delivery keeps its place and time. */
export function replaceDecision(
  db: Database,
  { key, decision, reason, status, buildId }: Delivery,
): void {
  db.run(
    `UPDATE deliveries SET decision = $decision, reason = $reason, status = $status,
       build_id = $buildId WHERE key = $key`,
    { key, decision, reason, status, buildId: buildId ?? null },
  );
}

export function findDelivery(db: Database, key: string): Delivery | undefined {
  const row = db.get("SELECT * FROM deliveries WHERE key = $key", { key });
  return row && parseDelivery(row);
}

/** Newest first. */
export function listDeliveries(db: Database, limit: number): Delivery[] {
  return db
    .all("SELECT * FROM deliveries ORDER BY sequence DESC LIMIT $limit", { limit })
    .map(parseDelivery);
}

function parseDelivery(row: Row): Delivery {
  const ownerLogin = optionalText(row, "owner_login");
  const repository = optionalText(row, "repository");
  const ref = optionalText(row, "ref");
  const sha = optionalText(row, "sha");
  const buildId = optionalText(row, "build_id");
  return {
    key: text(row, "key"),
    event: text(row, "event"),
    receivedAt: integer(row, "received_at"),
    decision: oneOf(row, "decision", DECISIONS),
    reason: text(row, "reason"),
    status: integer(row, "status"),
    ...(ownerLogin !== undefined && { ownerLogin }),
    ...(repository !== undefined && { repository }),
    ...(ref !== undefined && { ref }),
    ...(sha !== undefined && { sha }),
    ...(buildId !== undefined && { buildId }),
  };
}
