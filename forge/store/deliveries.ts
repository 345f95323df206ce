import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Database } from "./database.ts";

/** A ref that moved; forty zeros stand for "was not there" and "is not there". */
export type RefChange = { readonly ref: string; readonly before: string; readonly after: string };

export type Delivery = RefChange & {
  readonly id: number;
  /** `X-GitHub-Delivery`; the same for every attempt. */
  readonly guid: string;
  readonly event: string;
  readonly repositoryId: number;
  /** The very text that is signed and sent; made at the first attempt. */
  readonly payload: string | null;
  readonly state: "pending" | "delivered" | "refused";
  readonly attempts: number;
  readonly redelivery: boolean;
  readonly lastStatus: number | null;
  readonly lastAnswer: string | null;
  readonly durationMs: number | null;
  readonly createdAt: number;
  readonly nextAt: number;
  readonly settledAt: number | null;
};

/** What one attempt came to; `status` 0 means that nobody answered. */
export type Attempt = {
  readonly state: Delivery["state"];
  readonly status: number;
  readonly answer: string;
  readonly durationMs: number;
  readonly nextAt: number;
};

export type Deliveries = ReturnType<typeof createDeliveries>;

const Row = z
  .object({
    id: z.number(),
    guid: z.string(),
    event: z.string(),
    repository_id: z.number(),
    ref: z.string(),
    before: z.string(),
    after: z.string(),
    payload: z.string().nullable(),
    state: z.enum(["pending", "delivered", "refused"]),
    attempts: z.number(),
    redelivery: z.number(),
    last_status: z.number().nullable(),
    last_answer: z.string().nullable(),
    duration_ms: z.number().nullable(),
    created_at: z.number(),
    next_at: z.number(),
    settled_at: z.number().nullable(),
  })
  .transform(
    (row): Delivery => ({
      id: row.id,
      guid: row.guid,
      event: row.event,
      repositoryId: row.repository_id,
      ref: row.ref,
      before: row.before,
      after: row.after,
      payload: row.payload,
      state: row.state,
      attempts: row.attempts,
      redelivery: row.redelivery !== 0,
      lastStatus: row.last_status,
      lastAnswer: row.last_answer,
      durationMs: row.duration_ms,
      createdAt: row.created_at,
      nextAt: row.next_at,
      settledAt: row.settled_at,
    }),
  );
const Announced = z.object({ ref: z.string(), sha: z.string() });
/** Longest pause between two attempts, in milliseconds. */
export const LONGEST_PAUSE_MS = 5 * 60_000;
/** Settled deliveries that are kept, for people and for being asked back. */
const KEPT = 2_000;

export function createDeliveries({ sql, transact }: Database, now: () => number) {
  const insert = sql.prepare(
    `INSERT INTO deliveries (guid, event, repository_id, ref, before, after, state, created_at, next_at)
     VALUES (?, 'push', ?, ?, ?, ?, 'pending', ?, 0) RETURNING *`,
  );
  const one = sql.prepare("SELECT * FROM deliveries WHERE id = ?");
  const newestOfRef = sql.prepare(
    `SELECT * FROM deliveries WHERE repository_id = ? AND ref = ?
     ORDER BY after = ? DESC, id DESC LIMIT 1`,
  );
  const due = sql.prepare(
    `SELECT * FROM deliveries WHERE state = 'pending' AND (next_at <= ? OR next_at > ?)
     ORDER BY id LIMIT ?`,
  );
  const next = sql.prepare("SELECT min(next_at) AS at FROM deliveries WHERE state = 'pending'");
  const page = sql.prepare("SELECT * FROM deliveries WHERE id < ? ORDER BY id DESC LIMIT ?");
  const keepPayload = sql.prepare("UPDATE deliveries SET payload = ? WHERE id = ?");
  const record = sql.prepare(
    `UPDATE deliveries SET state = ?, attempts = attempts + 1, last_status = ?, last_answer = ?,
     duration_ms = ?, next_at = ?, settled_at = ? WHERE id = ?`,
  );
  const again = sql.prepare(
    "UPDATE deliveries SET state = 'pending', redelivery = 1, next_at = 0 WHERE id = ?",
  );
  const prune = sql.prepare("DELETE FROM deliveries WHERE state <> 'pending' AND id <= ?");
  const announcedOf = sql.prepare("SELECT ref, sha FROM announced WHERE repository_id = ?");
  const announcedAt = sql.prepare(
    "SELECT ref, sha FROM announced WHERE repository_id = ? AND ref = ?",
  );
  const branchAt = sql.prepare(
    "SELECT 1 FROM announced WHERE repository_id = ? AND sha = ? AND ref LIKE 'refs/heads/%' LIMIT 1",
  );
  const setAnnounced = sql.prepare(
    `INSERT INTO announced (repository_id, ref, sha) VALUES (?, ?, ?)
     ON CONFLICT (repository_id, ref) DO UPDATE SET sha = excluded.sha`,
  );
  const dropAnnounced = sql.prepare("DELETE FROM announced WHERE repository_id = ? AND ref = ?");
  const pushed = sql.prepare("UPDATE repositories SET pushed_at = ? WHERE id = ?");

  return {
    announce,
    listAnnounced,
    findAnnounced,
    isBranchHead,
    find,
    findNewest,
    listDue,
    nextDueAt,
    list,
    storePayload,
    recordAttempt,
    redeliver,
  };

  /** One durable transaction: what was announced moves on, and `told` of the changes become deliveries. */
  function announce(
    repositoryId: number,
    changes: readonly RefChange[],
    told: readonly RefChange[],
  ): Delivery[] {
    return transact(() => {
      for (const { ref, after } of changes) {
        if (/^0+$/.test(after)) dropAnnounced.run(repositoryId, ref);
        else setAnnounced.run(repositoryId, ref, after);
      }
      pushed.run(now(), repositoryId);
      return told.map(({ ref, before, after }) => {
        const row = insert.get(randomUUID(), repositoryId, ref, before, after, now());
        return Row.parse(row);
      });
    });
  }

  /** Ref to commit, as the platform was last told. */
  function listAnnounced(repositoryId: number): Map<string, string> {
    const rows = announcedOf.all(repositoryId).map((row) => Announced.parse(row));
    return new Map(rows.map(({ ref, sha }) => [ref, sha]));
  }

  function findAnnounced(repositoryId: number, ref: string): string | undefined {
    return Announced.optional().parse(announcedAt.get(repositoryId, ref))?.sha;
  }

  /** Git lets branches point at commits only, so this is one. */
  function isBranchHead(repositoryId: number, sha: string): boolean {
    return branchAt.get(repositoryId, sha) !== undefined;
  }

  function find(id: number): Delivery | undefined {
    return Row.optional().parse(one.get(id));
  }

  /** The newest that tells of the ref at this commit; where none does, the newest of the ref. */
  function findNewest(repositoryId: number, { ref, after }: RefChange): Delivery | undefined {
    return Row.optional().parse(newestOfRef.get(repositoryId, ref, after));
  }

  /** Pending and due, oldest first. A time further away than any pause means that the clock went back. */
  function listDue(limit: number): Delivery[] {
    return due.all(now(), now() + LONGEST_PAUSE_MS * 2, limit).map((row) => Row.parse(row));
  }

  function nextDueAt(): number | undefined {
    return z.object({ at: z.number().nullable() }).parse(next.get()).at ?? undefined;
  }

  /** Newest first, those with a smaller id than `before`. */
  function list(before: number, limit: number): Delivery[] {
    return page.all(before, limit).map((row) => Row.parse(row));
  }

  function storePayload(id: number, payload: string): void {
    keepPayload.run(payload, id);
  }

  function recordAttempt(id: number, attempt: Attempt): void {
    const { state, status, answer, durationMs, nextAt } = attempt;
    const settledAt = state === "pending" ? null : now();
    record.run(state, status, answer, Math.round(durationMs), nextAt, settledAt, id);
    if (id % 100 === 0) prune.run(id - KEPT);
  }

  /** Send once more with the same guid and payload, on purpose. */
  function redeliver(id: number): void {
    again.run(id);
  }
}
