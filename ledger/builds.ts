import { TERMINAL_BUILD_STATES } from "#sdk/messages.ts";
import type { Database, Row } from "./database.ts";
import { readPlan } from "./read-plan.ts";
import { flag, integer, oneOf, optionalInteger, text } from "./row.ts";
import type { Build, BuildFilter, BuildState } from "./types/build.ts";
import type { RepositoryId } from "./types/repository.ts";
import type { UnixMs } from "./types/unix-ms.ts";

/** In the order a build goes through them; the rest of the states end it (design.md section 6, line 3). */
export const WORKING_STATES: readonly BuildState[] = [
  "accepted",
  "planned",
  "building",
  "built",
  "deploying",
];
const BUILD_STATES: readonly BuildState[] = [...WORKING_STATES, ...TERMINAL_BUILD_STATES];

/** A build with what only the ledger needs to know about it. */
export type StoredBuild = {
  readonly build: Build;
  readonly epoch: number;
  readonly leasedUntil?: UnixMs;
  /** Sequence of the last event before it was last claimed, 0 for none. */
  readonly eventsBefore: number;
  /** Newer pushes wait for it instead of ending it (line 12). */
  readonly letThrough: boolean;
  /** Of its first status. */
  readonly targetUrl: string;
};

export function findBuild(db: Database, id: string): Build | undefined {
  return findStoredBuild(db, id)?.build;
}

export function findStoredBuild(db: Database, id: string): StoredBuild | undefined {
  const row = db.get("SELECT * FROM builds WHERE id = $id", { id });
  return row && parseBuild(row);
}

const FILTERS = {
  ownerId: "owner_id = $ownerId",
  repositoryId: "repository_id = $repositoryId",
  branch: "branch = $branch",
  sha: "sha = $sha",
} as const;

/** Newest first. */
export function listBuilds(db: Database, { limit, ...filter }: BuildFilter): Build[] {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const wheres = Object.entries(FILTERS).filter(([name]) => given.some(([key]) => key === name));
  const where = wheres.length === 0 ? "" : `WHERE ${wheres.map(([, sql]) => sql).join(" AND ")}`;
  return db
    .all(`SELECT * FROM builds ${where} ORDER BY sequence DESC LIMIT $limit`, {
      ...Object.fromEntries(given),
      limit,
    })
    .map((row) => parseBuild(row).build);
}

/** Line 4, oldest first. */
export function listUnleased(db: Database): Build[] {
  return db
    .all(
      `SELECT * FROM builds WHERE ended_at IS NULL
         AND (leased_until IS NULL OR leased_until <= $now) ORDER BY sequence`,
      { now: db.now() },
    )
    .map((row) => parseBuild(row).build);
}

/** Builds that have not ended, leased or not, oldest first. */
export function listAllOpen(db: Database): Build[] {
  return db
    .all("SELECT * FROM builds WHERE ended_at IS NULL ORDER BY sequence")
    .map((row) => parseBuild(row).build);
}

/** Those of a branch that have not ended, oldest first. */
export function listOpen(
  db: Database,
  { repositoryId, branch }: Pick<Build, "repositoryId" | "branch">,
): StoredBuild[] {
  return db
    .all(
      `SELECT * FROM builds WHERE repository_id = $repositoryId AND branch = $branch
         AND ended_at IS NULL ORDER BY generation`,
      { repositoryId, branch },
    )
    .map(parseBuild);
}

export function findLive(
  db: Database,
  repositoryId: RepositoryId,
  branch: string,
): Build | undefined {
  const row = db.get(
    `SELECT * FROM builds WHERE repository_id = $repositoryId AND branch = $branch
       AND state = 'live' ORDER BY generation DESC LIMIT 1`,
    { repositoryId, branch },
  );
  return row && parseBuild(row).build;
}

export function isTerminal({ state }: Build): boolean {
  return TERMINAL_BUILD_STATES.some((terminal) => terminal === state);
}

export function isLeased({ leasedUntil }: StoredBuild, now: UnixMs): boolean {
  return leasedUntil !== undefined && leasedUntil > now;
}

/** A worker is at it, or it is half switched and has to be finished before any other of its branch. */
export function isRunning(stored: StoredBuild, now: UnixMs): boolean {
  return isLeased(stored, now) || stored.build.state === "deploying";
}

function parseBuild(row: Row): StoredBuild {
  const startedAt = optionalInteger(row, "started_at");
  const endedAt = optionalInteger(row, "ended_at");
  const leasedUntil = optionalInteger(row, "leased_until");
  return {
    build: {
      id: text(row, "id"),
      repositoryId: text(row, "repository_id"),
      ownerId: text(row, "owner_id"),
      branch: text(row, "branch"),
      sha: text(row, "sha"),
      generation: integer(row, "generation"),
      state: oneOf(row, "state", BUILD_STATES),
      reason: text(row, "reason"),
      acceptedAt: integer(row, "accepted_at"),
      ...(startedAt !== undefined && { startedAt }),
      ...(endedAt !== undefined && { endedAt }),
      attempts: integer(row, "attempts"),
      ...(row.plan !== null && { plan: readPlan(row) }),
    },
    epoch: integer(row, "epoch"),
    ...(leasedUntil !== undefined && { leasedUntil }),
    eventsBefore: integer(row, "events_before"),
    letThrough: flag(row, "let_through"),
    targetUrl: text(row, "target_url"),
  };
}
