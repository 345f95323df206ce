import type { Database, Row } from "./database.ts";
import { flag, integer, oneOf, optionalInteger, optionalText, text } from "./row.ts";
import type { Build } from "./types/build.ts";
import type { RepositoryId } from "./types/repository.ts";
import type { CommitState, UnsentStatus, WantedStatus } from "./types/status.ts";
import type { UnixMs } from "./types/unix-ms.ts";

/** GitHub's limit for a status description. */
const DESCRIPTION_LIMIT = 140;
/** No source asks for a longer wait: a retry beyond it was set before the clock went back, and is due. */
const LONGEST_WAIT_MS = 2 * 3_600_000;
/** Latest date there is; what is to be retried then is given up (functions/github-status/sender.ts). */
export const NEVER = 8.64e15;
const COMMIT_STATES: readonly CommitState[] = ["pending", "success", "failure", "error"];

export type Commit = { readonly repositoryId: RepositoryId; readonly sha: string };

/**
 * Want a status; the same again is no news. A build speaks for its commit only while no newer build of
 * that commit does, and says nothing is pending after it has ended.
 */
export function wantStatus(
  db: Database,
  { repositoryId, sha }: Commit,
  wanted: WantedStatus,
  buildId?: string,
): void {
  db.transaction(() => {
    const status = { ...wanted, description: cutDescription(wanted.description) };
    const place = { repositoryId, sha, context: status.context };
    if (buildId !== undefined && isLate(db, place, status, buildId)) return;
    const known = db.get(`SELECT * FROM statuses WHERE ${PLACE}`, place);
    if (known !== undefined && isSame(known, status)) adopt(db, place, buildId);
    else save(db, place, status, buildId);
    if (buildId !== undefined) db.changed(buildId);
  });
}

/** Whatever the build still says is pending becomes this instead. */
export function settlePending(
  db: Database,
  build: Build,
  state: CommitState,
  description: string,
): void {
  const pending = db.all(
    `SELECT context, target_url FROM statuses
     WHERE build_id = $buildId AND state = 'pending'`,
    { buildId: build.id },
  );
  for (const row of pending) {
    const status = {
      context: text(row, "context"),
      state,
      description,
      targetUrl: text(row, "target_url"),
    };
    wantStatus(db, build, status, build.id);
  }
}

/** Newest version of each context that was not sent and is due, oldest first. */
export function listUnsent(
  db: Database,
  now: UnixMs,
  { repositoryId, sha }: Partial<Commit> = {},
): UnsentStatus[] {
  const place = { repositoryId: repositoryId ?? null, sha: sha ?? null };
  return db
    .all(
      `SELECT * FROM statuses WHERE sent_version < version
         AND (retry_at <= $now OR (retry_at > $late AND retry_at < $never))
         AND repository_id = coalesce($repositoryId, repository_id) AND sha = coalesce($sha, sha)
       ORDER BY version`,
      { now, late: now + LONGEST_WAIT_MS, never: NEVER, ...place },
    )
    .map(parseStatus);
}

/** All contexts of a commit, sent or not. */
export function listStatuses(
  db: Database,
  { repositoryId, sha }: Commit,
): (UnsentStatus & { readonly sent: boolean })[] {
  return db
    .all(
      `SELECT * FROM statuses WHERE repository_id = $repositoryId AND sha = $sha
       ORDER BY context`,
      { repositoryId, sha },
    )
    .map((row) => ({
      ...parseStatus(row),
      sent: integer(row, "sent_version") >= integer(row, "version"),
    }));
}

/**
 * This version was told; one that was wanted meanwhile still has to be. Not synced by itself: what a power
 * cut makes forget is told again.
 */
export function markSent(db: Database, status: UnsentStatus, checkRunId?: number): void {
  db.quickTransaction(() =>
    db.run(
      `UPDATE statuses SET sent_version = max(sent_version, $version),
         check_run_id = coalesce($checkRunId, check_run_id) WHERE ${PLACE}`,
      { ...placeOf(status), version: status.version, checkRunId: checkRunId ?? null },
    ),
  );
}

/** A newer version is due at once, whatever happened to the older. */
export function markUnsent(
  db: Database,
  status: UnsentStatus,
  error: string,
  retryAt: UnixMs,
): void {
  db.run(
    `UPDATE statuses SET attempts = attempts + 1, error = $error, retry_at = $retryAt
     WHERE ${PLACE} AND version = $version`,
    { ...placeOf(status), version: status.version, error, retryAt },
  );
}

const PLACE = "repository_id = $repositoryId AND sha = $sha AND context = $context";
type Place = Commit & { readonly context: string };

function placeOf({ repositoryId, sha, context }: UnsentStatus): Place {
  return { repositoryId, sha, context };
}

function isLate(db: Database, place: Place, status: WantedStatus, buildId: string): boolean {
  if (status.state === "pending" && hasEnded(db, buildId)) return true;
  return isSpokenFor(db, place, buildId);
}

function hasEnded(db: Database, buildId: string): boolean {
  const row = db.get("SELECT ended_at FROM builds WHERE id = $buildId", { buildId });
  return row !== undefined && row.ended_at !== null;
}

/** A newer build speaks there, unless it ended without doing anything. */
function isSpokenFor(db: Database, place: Place, buildId: string): boolean {
  const newer = db.get(
    `SELECT 1 AS found FROM statuses
       JOIN builds theirs ON theirs.id = statuses.build_id
       JOIN builds ours ON ours.id = $buildId
     WHERE statuses.repository_id = $repositoryId AND statuses.sha = $sha AND context = $context
       AND theirs.sequence > ours.sequence AND theirs.state NOT IN ('superseded', 'cancelled')`,
    { ...place, buildId },
  );
  return newer !== undefined;
}

function isSame(row: Row, status: WantedStatus): boolean {
  return (
    row.state === status.state &&
    row.description === status.description &&
    row.target_url === status.targetUrl &&
    flag(row, "skipped") === (status.skipped ?? false)
  );
}

function adopt(db: Database, place: Place, buildId: string | undefined): void {
  db.run(`UPDATE statuses SET build_id = coalesce($buildId, build_id) WHERE ${PLACE}`, {
    ...place,
    buildId: buildId ?? null,
  });
}

function save(db: Database, place: Place, status: WantedStatus, buildId: string | undefined): void {
  db.run(
    `INSERT INTO statuses (repository_id, sha, context, state, description, target_url, skipped,
       build_id, version, wanted_at)
     VALUES ($repositoryId, $sha, $context, $state, $description, $targetUrl, $skipped,
       $buildId, $version, $now)
     ON CONFLICT DO UPDATE SET state = $state, description = $description,
       target_url = $targetUrl, skipped = $skipped, build_id = coalesce($buildId, build_id),
       version = $version, wanted_at = $now, attempts = 0, retry_at = 0, error = ''`,
    {
      ...place,
      state: status.state,
      description: status.description,
      targetUrl: status.targetUrl,
      skipped: Number(status.skipped ?? false),
      buildId: buildId ?? null,
      version: nextVersion(db),
      now: db.now(),
    },
  );
}

/** One counter for all, so that versions also tell the order across contexts. */
function nextVersion(db: Database): number {
  const row = db.get(
    `INSERT INTO counters VALUES ('status', 1)
     ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
  );
  return row === undefined ? 1 : integer(row, "value");
}

function cutDescription(description: string): string {
  if (description.length <= DESCRIPTION_LIMIT) return description;
  // Not between the halves of a surrogate pair.
  return `${description.slice(0, DESCRIPTION_LIMIT - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

function parseStatus(row: Row): UnsentStatus {
  const checkRunId = optionalInteger(row, "check_run_id");
  const buildId = optionalText(row, "build_id");
  return {
    repositoryId: text(row, "repository_id"),
    sha: text(row, "sha"),
    context: text(row, "context"),
    state: oneOf(row, "state", COMMIT_STATES),
    description: text(row, "description"),
    targetUrl: text(row, "target_url"),
    ...(flag(row, "skipped") && { skipped: true }),
    version: integer(row, "version"),
    attempts: integer(row, "attempts"),
    ...(checkRunId !== undefined && { checkRunId }),
    ...(buildId !== undefined && { buildId }),
  };
}
