import { z } from "zod";
import type { Database } from "./database.ts";

export const CHECK_STATUSES = ["queued", "in_progress", "completed"] as const;
export const CHECK_CONCLUSIONS = [
  "action_required",
  "cancelled",
  "failure",
  "neutral",
  "success",
  "skipped",
  "timed_out",
] as const;

export type CheckRun = {
  readonly id: number;
  readonly repositoryId: number;
  readonly sha: string;
  readonly name: string;
  readonly status: (typeof CHECK_STATUSES)[number];
  readonly conclusion: (typeof CHECK_CONCLUSIONS)[number] | null;
  readonly detailsUrl: string | null;
  readonly externalId: string;
  readonly output: CheckOutput;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
};

export type CheckOutput = {
  readonly title: string | null;
  readonly summary: string | null;
  readonly text: string | null;
};

export type CheckRuns = ReturnType<typeof createCheckRuns>;

const Output = z.object({
  title: z.string().nullable(),
  summary: z.string().nullable(),
  text: z.string().nullable(),
});
const Row = z
  .object({
    id: z.number(),
    repository_id: z.number(),
    sha: z.string(),
    name: z.string(),
    status: z.enum(CHECK_STATUSES),
    conclusion: z.enum(CHECK_CONCLUSIONS).nullable(),
    details_url: z.string().nullable(),
    external_id: z.string(),
    output: z.string(),
    started_at: z.number().nullable(),
    completed_at: z.number().nullable(),
  })
  .transform(
    (row): CheckRun => ({
      id: row.id,
      repositoryId: row.repository_id,
      sha: row.sha,
      name: row.name,
      status: row.status,
      conclusion: row.conclusion,
      detailsUrl: row.details_url,
      externalId: row.external_id,
      output: Output.parse(JSON.parse(row.output)),
      startedAt: row.started_at,
      completedAt: row.completed_at,
    }),
  );

export function createCheckRuns({ sql }: Database) {
  const insert = sql.prepare(
    `INSERT INTO check_runs (repository_id, sha, name, status, conclusion, details_url, external_id,
     output, started_at, completed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
  );
  const change = sql.prepare(
    `UPDATE check_runs SET name = ?, status = ?, conclusion = ?, details_url = ?, external_id = ?,
     output = ?, started_at = ?, completed_at = ? WHERE id = ?`,
  );
  const one = sql.prepare("SELECT * FROM check_runs WHERE repository_id = ? AND id = ?");
  const ofCommit = sql.prepare(
    "SELECT * FROM check_runs WHERE repository_id = ? AND sha = ? ORDER BY id DESC LIMIT 1000",
  );

  return { add, update, find, list };

  function add(run: Omit<CheckRun, "id">): CheckRun {
    return Row.parse(insert.get(run.repositoryId, run.sha, ...changeable(run)));
  }

  function update(run: CheckRun): void {
    change.run(...changeable(run), run.id);
  }

  function find(repositoryId: number, id: number): CheckRun | undefined {
    return Row.optional().parse(one.get(repositoryId, id));
  }

  /** Newest first. */
  function list(repositoryId: number, sha: string): CheckRun[] {
    return ofCommit.all(repositoryId, sha).map((row) => Row.parse(row));
  }
}

function changeable(run: Omit<CheckRun, "id">) {
  return [
    run.name,
    run.status,
    run.conclusion,
    run.detailsUrl,
    run.externalId,
    JSON.stringify(run.output),
    run.startedAt,
    run.completedAt,
  ];
}
