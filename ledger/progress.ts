import { findArtifact } from "./artifacts.ts";
import { type StoredBuild, WORKING_STATES } from "./builds.ts";
import type { Database } from "./database.ts";
import { requireHeld } from "./held-build.ts";
import { wantStatus } from "./statuses.ts";
import type { Build, BuildState, Claim } from "./types/build.ts";
import type { Plan } from "./types/plan.ts";
import type { WantedStatus } from "./types/status.ts";

/** Line 7. The first plan stays: a second call, after a crash, has no effect. */
export function storePlan(
  db: Database,
  claim: Claim,
  plan: Plan,
  statuses: readonly WantedStatus[],
): void {
  db.transaction(() => {
    const { build } = requireHeld(db, claim);
    if (build.plan !== undefined) return;
    db.run("UPDATE builds SET plan = $plan, state = 'planned' WHERE id = $id", {
      id: build.id,
      plan: JSON.stringify(plan),
    });
    for (const status of statuses) wantStatus(db, build, status, build.id);
    db.changed(build.id);
  });
}

/** Forward only: a worker that goes over its steps again changes nothing. */
export function setState(db: Database, claim: Claim, state: "building" | "built"): void {
  db.transaction(() => {
    const { build } = requireHeld(db, claim);
    requirePlan(build);
    advance(db, build, state);
  });
}

/** Line 8. True again for a build that is deploying already. */
export function beginDeploying(db: Database, claim: Claim): boolean {
  return db.transaction(() => {
    const held = requireHeld(db, claim);
    requireArtifacts(db, held.build);
    if (!isCurrent(db, held)) return false;
    advance(db, held.build, "deploying");
    return true;
  });
}

function advance(db: Database, build: Build, state: BuildState): void {
  if (rank(build.state) >= rank(state)) return;
  db.run("UPDATE builds SET state = $state WHERE id = $id", { id: build.id, state });
  db.changed(build.id);
}

function rank(state: Build["state"]): number {
  return WORKING_STATES.indexOf(state);
}

function requirePlan({ id, plan }: Build): Plan {
  if (plan === undefined) throw new Error(`Build ${id} has no plan; store one before it is built.`);
  return plan;
}

function requireArtifacts(db: Database, build: Build): void {
  const missing = requirePlan(build)
    .functions.filter(({ key }) => findArtifact(db, build.ownerId, key) === undefined)
    .map(({ name }) => name);
  if (missing.length > 0)
    throw new Error(
      `Build ${build.id} cannot deploy; record the artifact of ${missing.join(", ")} first.`,
    );
}

function isCurrent(db: Database, { build, letThrough }: StoredBuild): boolean {
  if (letThrough || build.state === "deploying") return true;
  const newer = db.get(
    `SELECT 1 AS found FROM branches WHERE repository_id = $repositoryId AND branch = $branch
       AND generation > $generation`,
    { repositoryId: build.repositoryId, branch: build.branch, generation: build.generation },
  );
  return newer === undefined;
}
