import { makeBuildId } from "./build-id.ts";
import { findBuild } from "./builds.ts";
import type { Database } from "./database.ts";
import { findDelivery, recordDelivery, replaceDecision } from "./deliveries.ts";
import { supersedeOlder } from "./endings.ts";
import { admitOwner } from "./owners.ts";
import { recordRepository } from "./repositories.ts";
import { integer } from "./row.ts";
import { wantStatus } from "./statuses.ts";
import type { Build } from "./types/build.ts";
import type { Accepted, AcceptPush, Delivery } from "./types/delivery.ts";

export type ManualPush = Omit<AcceptPush, "deliveryKey" | "event"> & { readonly reason: string };

/** Lines 1, 2 and 12; not synced by itself, since deliveries may come faster than a disk syncs. */
export function acceptPush(db: Database, push: AcceptPush): Accepted {
  return db.quickTransaction(() => {
    const known = findDelivery(db, push.deliveryKey);
    const build = known?.buildId === undefined ? undefined : findBuild(db, known.buildId);
    if (known === undefined || known.decision === "refused" || mayRetry(db, build))
      return accept(db, push, makeBuildId(db.now()), "");
    return repeatAnswer(known, build);
  });
}

export function acceptManually(db: Database, push: ManualPush): Accepted {
  return db.transaction(() => {
    const buildId = makeBuildId(db.now());
    const delivery = { deliveryKey: `manual:${buildId}`, event: "manual" };
    return accept(db, { ...push, ...delivery }, buildId, push.reason);
  });
}

/** A redelivery asks for another try of what failed, never for an older commit over a newer one. */
function mayRetry(db: Database, build: Build | undefined): boolean {
  return build?.state === "failed" && build.generation === readGeneration(db, build);
}

function repeatAnswer(known: Delivery, build: Build | undefined): Accepted {
  return {
    decision: "duplicate",
    reason: known.reason,
    ...(build !== undefined && { build }),
    superseded: [],
  };
}

function accept(db: Database, push: AcceptPush, buildId: string, why: string): Accepted {
  const { refusal } = admitOwner(db, push.owner);
  if (refusal !== undefined) {
    saveDelivery(db, push, { decision: "refused", reason: refusal, status: 403 });
    return { decision: "refused", reason: refusal, superseded: [] };
  }

  recordRepository(db, push.repository);
  const build = addBuild(db, push, buildId);
  const superseded = supersedeOlder(db, build);
  wantStatus(db, build, push.status, build.id);
  const reason = why || `build ${build.generation} of ${build.branch}`;
  saveDelivery(db, push, { decision: "queued", reason, status: 202, buildId });
  db.changed(buildId);
  return { decision: "queued", reason, build, superseded };
}

function addBuild(db: Database, push: AcceptPush, id: string): Build {
  const place = { repositoryId: push.repository.id, branch: push.branch };
  const build: Build = {
    id,
    ...place,
    ownerId: push.owner.id,
    sha: push.sha,
    generation: raiseGeneration(db, place),
    state: "accepted",
    reason: "",
    acceptedAt: db.now(),
    attempts: 0,
  };
  db.run(
    `INSERT INTO builds (id, repository_id, owner_id, branch, sha, generation, target_url, accepted_at)
     VALUES ($id, $repositoryId, $ownerId, $branch, $sha, $generation, $targetUrl, $acceptedAt)`,
    {
      id,
      ...place,
      ownerId: build.ownerId,
      sha: build.sha,
      generation: build.generation,
      targetUrl: push.status.targetUrl,
      acceptedAt: build.acceptedAt,
    },
  );
  return build;
}

type Branch = Pick<Build, "repositoryId" | "branch">;

function raiseGeneration(db: Database, { repositoryId, branch }: Branch): number {
  db.run(
    `INSERT INTO branches (repository_id, branch, generation) VALUES ($repositoryId, $branch, 1)
     ON CONFLICT DO UPDATE SET generation = generation + 1`,
    { repositoryId, branch },
  );
  return readGeneration(db, { repositoryId, branch });
}

function readGeneration(db: Database, { repositoryId, branch }: Branch): number {
  const row = db.get(
    `SELECT generation FROM branches WHERE repository_id = $repositoryId AND branch = $branch`,
    { repositoryId, branch },
  );
  return row === undefined ? 0 : integer(row, "generation");
}

type Outcome = Pick<Delivery, "decision" | "reason" | "status" | "buildId">;

function saveDelivery(db: Database, push: AcceptPush, outcome: Outcome): void {
  const delivery: Delivery = {
    key: push.deliveryKey,
    event: push.event,
    receivedAt: db.now(),
    ownerLogin: push.owner.login,
    repository: push.repository.fullName,
    ref: `refs/heads/${push.branch}`,
    sha: push.sha,
    ...outcome,
  };
  if (!recordDelivery(db, delivery)) replaceDecision(db, delivery);
}
