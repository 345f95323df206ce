import { z } from "zod";
import type { Database } from "./database.ts";

export const STATUS_STATES = ["error", "failure", "pending", "success"] as const;

export type CommitStatus = {
  readonly id: number;
  readonly sha: string;
  readonly context: string;
  readonly state: (typeof STATUS_STATES)[number];
  readonly description: string | null;
  readonly targetUrl: string | null;
  readonly createdAt: number;
};

export type Statuses = ReturnType<typeof createStatuses>;

const Row = z
  .object({
    id: z.number(),
    sha: z.string(),
    context: z.string(),
    state: z.enum(STATUS_STATES),
    description: z.string().nullable(),
    target_url: z.string().nullable(),
    created_at: z.number(),
  })
  .transform(
    (row): CommitStatus => ({
      id: row.id,
      sha: row.sha,
      context: row.context,
      state: row.state,
      description: row.description,
      targetUrl: row.target_url,
      createdAt: row.created_at,
    }),
  );

/** Commit statuses: only added, the newest of a context counts. */
export function createStatuses({ sql, write, synced }: Database, now: () => number) {
  const insert = sql.prepare(
    `INSERT INTO statuses (repository_id, sha, context, state, description, target_url, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *`,
  );
  const ofCommit = sql.prepare(
    "SELECT * FROM statuses WHERE repository_id = ? AND sha = ? ORDER BY id DESC LIMIT 1000",
  );
  const count = sql.prepare(
    "SELECT count(*) AS count FROM statuses WHERE repository_id = ? AND sha = ? AND context = ?",
  );
  const known = sql.prepare("SELECT 1 FROM statuses WHERE repository_id = ? AND sha = ? LIMIT 1");

  return { add, list, countOf, isKnown };

  /** Resolves once it is on the disk. */
  async function add(
    repositoryId: number,
    status: Omit<CommitStatus, "id" | "createdAt">,
  ): Promise<CommitStatus> {
    const { sha, context, state, description, targetUrl } = status;
    const row = write(() =>
      insert.get(repositoryId, sha, context, state, description, targetUrl, now()),
    );
    await synced();
    return Row.parse(row);
  }

  /** Whether this is the whole id of a commit that has a status. */
  function isKnown(repositoryId: number, sha: string): boolean {
    return known.get(repositoryId, sha) !== undefined;
  }

  /** Newest first. */
  function list(repositoryId: number, sha: string): CommitStatus[] {
    return ofCommit.all(repositoryId, sha).map((row) => Row.parse(row));
  }

  function countOf(repositoryId: number, sha: string, context: string): number {
    return z.object({ count: z.number() }).parse(count.get(repositoryId, sha, context)).count;
  }
}
