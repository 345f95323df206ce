import type { TerminalBuildState } from "#sdk/messages.ts";
import { STACK_CONTEXT } from "#sdk/stack-status.ts";
import { findStoredBuild, isLeased, isTerminal, listOpen, type StoredBuild } from "./builds.ts";
import type { Database } from "./database.ts";
import { addEvent } from "./events.ts";
import { requireHeld } from "./held-build.ts";
import { describeLastStep } from "./last-step.ts";
import { settlePending, wantStatus } from "./statuses.ts";
import type { Build, Claim } from "./types/build.ts";
import type { CommitState, WantedStatus } from "./types/status.ts";

/** After so many in a row a branch's running build is let through (line 12). */
const SUPERSEDES_IN_A_ROW = 3;

/** Line 11. From `deploying` a build only becomes live or failed (line 8). */
export function endBuild(
  db: Database,
  claim: Claim,
  state: TerminalBuildState,
  reason: string,
  statuses: readonly WantedStatus[],
): void {
  db.transaction(() => {
    const held = requireHeld(db, claim);
    if (held.build.state === "deploying" && state !== "live" && state !== "failed")
      throw new Error(`Build ${held.build.id} is deploying; it ends live or failed, not ${state}.`);
    end(db, held, state, reason, statuses);
  });
}

/** False when it is terminal, deploying or unknown. */
export function cancelBuild(db: Database, id: string, reason: string): boolean {
  return db.transaction(() => {
    const stored = findStoredBuild(db, id);
    if (stored === undefined || isTerminal(stored.build) || stored.build.state === "deploying")
      return false;
    endWithError(db, stored, "cancelled", reason);
    return true;
  });
}

/**
 * Line 12, in the transaction that makes the newer build: end what waits on its branch, and what runs
 * unless it is deploying or its turn to be let through has come. Answers the ids of what was ended.
 */
export function supersedeOlder(db: Database, newer: Build): string[] {
  return listOpen(db, newer)
    .filter(({ build }) => build.generation < newer.generation)
    .filter((older) => !mayFinish(db, older))
    .map((older) => supersede(db, older, newer));
}

/** What a build that takes over leaves behind: older ones whose workers are gone. */
export function supersedeAbandoned(db: Database, newer: Build): void {
  for (const older of listOpen(db, newer)) {
    if (older.build.generation < newer.generation) supersede(db, older, newer);
  }
}

/** Line 13. Says where the attempts ended, which is the platform's fault. */
export function failExhausted(db: Database, stored: StoredBuild): void {
  const { attempts } = stored.build;
  const step = describeLastStep(db, stored);
  const reason = `gave up ${step}: ${attempts} attempts ended without a result; push again or redeliver to retry`;
  endWithError(db, stored, "failed", reason);
}

function mayFinish(db: Database, stored: StoredBuild): boolean {
  const { build } = stored;
  if (build.state === "deploying") return true;
  if (!isLeased(stored, db.now()) || !isDueToFinish(db, build)) return false;
  db.run("UPDATE builds SET let_through = 1 WHERE id = $id", { id: build.id });
  return true;
}

function isDueToFinish(db: Database, { repositoryId, branch }: Build): boolean {
  return (
    db.get(
      `SELECT 1 AS due FROM branches WHERE repository_id = $repositoryId AND branch = $branch
         AND supersedes_in_a_row >= $limit`,
      { repositoryId, branch, limit: SUPERSEDES_IN_A_ROW },
    ) !== undefined
  );
}

function supersede(db: Database, older: StoredBuild, newer: Build): string {
  endWithError(db, older, "superseded", `superseded by ${newer.sha.slice(0, 7)}`);
  return older.build.id;
}

function endWithError(
  db: Database,
  stored: StoredBuild,
  state: "failed" | "superseded" | "cancelled",
  reason: string,
): void {
  // The end of a redeploy that changed nothing takes nothing from a commit that was live.
  const told: Told =
    state !== "failed" && hasBeenLive(db, stored.build)
      ? { state: "success", description: `live; its redeploy was ${reason}` }
      : { state: COMMIT_STATES[state], description: reason };
  const status = { context: STACK_CONTEXT, ...told, targetUrl: stored.targetUrl };
  // A redeploy that gave up is an error of ours, not a failure of the commit.
  end(
    db,
    stored,
    state,
    reason,
    [state === "failed" ? { ...status, state: "error" } : status],
    told,
  );
  tellEnd(db, stored.build, state, reason);
}

function hasBeenLive(db: Database, { repositoryId, sha }: Build): boolean {
  const row = db.get(
    `SELECT 1 AS live FROM builds
     WHERE repository_id = $repositoryId AND sha = $sha AND state = 'live'`,
    { repositoryId, sha },
  );
  return row !== undefined;
}

/** The worker tells of the ends it decides; of these it may never hear. */
function tellEnd(db: Database, build: Build, state: TerminalBuildState, reason: string): void {
  const at = db.now();
  const ms = at - build.acceptedAt;
  const fault = state === "failed" ? { fault: "platform" as const } : {};
  addEvent(db, build.id, { v: 1, at, type: "ended", state, reason, ...fault, ms, urls: [] });
}

type Told = Pick<WantedStatus, "state" | "description">;

/** The only way into a terminal state: with its statuses, what else is pending told `rest`, and the claim void. */
function end(
  db: Database,
  stored: StoredBuild,
  state: TerminalBuildState,
  reason: string,
  statuses: readonly WantedStatus[],
  rest: Told = { state: COMMIT_STATES[state], description: reason || state },
): void {
  const { build } = stored;
  for (const status of statuses) wantStatus(db, build, status, build.id);
  settlePending(db, build, rest.state, rest.description);
  countSupersede(db, stored, state);
  db.run(
    `UPDATE builds SET state = $state, reason = $reason, ended_at = $now, epoch = epoch + 1,
       leased_by = NULL, leased_until = NULL WHERE id = $id`,
    { id: build.id, state, reason, now: db.now() },
  );
  db.changed(build.id);
}

const COMMIT_STATES: Readonly<Record<TerminalBuildState, CommitState>> = {
  live: "success",
  failed: "failure",
  superseded: "error",
  cancelled: "error",
  skipped: "error",
};

/** Only work that was under way counts; any other end of it starts the row anew. */
function countSupersede(db: Database, stored: StoredBuild, state: TerminalBuildState): void {
  if (state === "superseded" && !isLeased(stored, db.now())) return;
  const { repositoryId, branch } = stored.build;
  db.run(
    `UPDATE branches SET supersedes_in_a_row = iif($superseded, supersedes_in_a_row + 1, 0)
     WHERE repository_id = $repositoryId AND branch = $branch`,
    { repositoryId, branch, superseded: Number(state === "superseded") },
  );
}
