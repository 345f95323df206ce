import { createHash } from "node:crypto";
import { labels } from "#sdk/labels.ts";
import type { Database, Row } from "./database.ts";
import { NameTaken } from "./errors.ts";
import { raiseFence, readFence } from "./fences.ts";
import { requireHeld } from "./held-build.ts";
import { findHolder, freeName, type Holder, takeName } from "./name-claims.ts";
import { integer, json, oneOf, text } from "./row.ts";
import { content, functionDeployment } from "./shapes.ts";
import type { Build, Claim } from "./types/build.ts";
import type { OwnerId } from "./types/owner.ts";
import type { Release, ReleaseDraft, ReleaseState } from "./types/release.ts";
import type { RepositoryId } from "./types/repository.ts";

const RELEASE_STATES: readonly ReleaseState[] = ["declared", "serving", "retired", "failed"];

/**
 * Line 9. What is stored and answered carries the labels `release` and `fence`. The same build may declare
 * a function again under another release id: it returns to what served before.
 */
export function declareRelease(
  db: Database,
  claim: Claim,
  draft: ReleaseDraft,
  minFence?: number,
): Release {
  return db.transaction(() => {
    const { build } = requireHeld(db, claim);
    if (build.state !== "deploying")
      throw new Error(`Build ${build.id} is ${build.state}; begin deploying, then declare.`);
    takeFunctionName(db, draft.service, build);

    const declared = findDeclared(db, build.id, draft);
    if (declared !== undefined && !isPassed(db, declared, minFence)) return declared;
    const fence = raiseFence(db, draft.service, minFence);
    const release = toRelease(db, { ...build, buildId: build.id }, declared ?? draft, fence);
    saveRelease(db, release);
    return release;
  });
}

/** Design.md section 7: from the release record, never from what a version left behind. */
export function declareRollback(db: Database, target: Release, minFence?: number): Release {
  return db.transaction(() => {
    const { service } = target;
    const current = currentRelease(db, service);
    if (current?.ownerId !== target.ownerId || current.repositoryId !== target.repositoryId)
      throw new Error(`Function "${service}" does not serve; push it again.`);
    const id = createHash("sha256").update(describeRollback(target, current)).digest("hex");
    const { specHash, digest } = current.insteadOf ?? current;
    const draft = { ...target, id: id.slice(0, 32), insteadOf: { specHash, digest } };
    const declared = findDeclared(db, target.buildId, draft);
    if (declared?.fence === readFence(db, service) && declared.fence > (minFence ?? 0))
      return declared;
    const release = toRelease(db, target, draft, raiseFence(db, service, minFence));
    saveRelease(db, release);
    return release;
  });
}

/** What its id is made of. */
function describeRollback({ id, deployment }: Release, current: Release): string {
  const secrets = deployment.labels?.[labels.secretsVersion];
  const instead = `${id} instead of ${current.id}`;
  return secrets === undefined ? instead : `${instead} with secrets ${secrets}`;
}

export function listUnfinishedRollbacks(db: Database): Release[] {
  return db
    .all(
      `SELECT r.* FROM releases r JOIN fences f USING (service)
       WHERE r.state = 'declared' AND r.instead_of IS NOT NULL AND r.fence = f.value`,
    )
    .map(parseRelease);
}

/** A late word about an older release never unseats a newer one that serves. */
export function markRelease(db: Database, id: string, service: string, state: ReleaseState): void {
  db.transaction(() => {
    const release = findNewest(db, id, service);
    if (release === undefined) return;
    const { fence } = release;
    if (state === "serving") retireOlder(db, release);
    const overtaken = state === "serving" && (currentRelease(db, service)?.fence ?? 0) > fence;
    db.run("UPDATE releases SET state = $state WHERE service = $service AND fence = $fence", {
      service,
      fence,
      state: overtaken ? "retired" : state,
    });
    db.changed(release.buildId);
    db.releasesChanged(service);
  });
}

export function currentRelease(db: Database, service: string): Release | undefined {
  const row = db.get("SELECT * FROM releases WHERE service = $service AND state = 'serving'", {
    service,
  });
  return row && parseRelease(row);
}

/** Newest first; only of the owner who has the name now, not of one who had it before. */
export function listReleases(db: Database, service: string, limit: number): Release[] {
  return db
    .all(
      `SELECT r.* FROM releases r JOIN name_claims c
         ON c.kind = 'function' AND c.name = r.service AND c.owner_id = r.owner_id
       WHERE r.service = $service ORDER BY r.fence DESC LIMIT $limit`,
      { service, limit },
    )
    .map(parseRelease);
}

export function listServing(
  db: Database,
  { ownerId, repositoryId }: { readonly ownerId?: OwnerId; readonly repositoryId?: RepositoryId },
): Release[] {
  return db
    .all(
      `SELECT * FROM releases WHERE state = 'serving'
         AND ($ownerId IS NULL OR owner_id = $ownerId)
         AND ($repositoryId IS NULL OR repository_id = $repositoryId) ORDER BY service`,
      { ownerId: ownerId ?? null, repositoryId: repositoryId ?? null },
    )
    .map(parseRelease);
}

/** Nothing serves any more, and the name is free: in 30 days for others, at once for the same owner. */
export function removeFunction(db: Database, service: string): void {
  db.transaction(() => {
    db.run("UPDATE releases SET state = 'retired' WHERE service = $service AND state = 'serving'", {
      service,
    });
    freeName(db, { kind: "function", name: service });
    db.releasesChanged(service);
  });
}

export function ownerOfFunction(
  db: Database,
  service: string,
): { readonly ownerId: OwnerId; readonly repositoryId: RepositoryId } | undefined {
  const holder = findHolder(db, { kind: "function", name: service });
  return holder?.repositoryId === undefined
    ? undefined
    : { ownerId: holder.ownerId, repositoryId: holder.repositoryId };
}

/** Owner `a` with function `b-c` and owner `a-b` with function `c` want the same name. */
function takeFunctionName(db: Database, service: string, build: Build): void {
  const holder: Holder = { ownerId: build.ownerId, repositoryId: build.repositoryId };
  if (!takeName(db, { kind: "function", name: service }, holder)) throw new NameTaken(service);
}

function findDeclared(
  db: Database,
  buildId: string,
  { service, id }: ReleaseDraft,
): Release | undefined {
  const row = db.get(
    "SELECT * FROM releases WHERE build_id = $buildId AND service = $service AND id = $id",
    { buildId, service, id },
  );
  return row && parseRelease(row);
}

/**
 * The engine has given the fence, or a higher one, to a release that it does not have from here (a deploy
 * through the gateway), so this one needs one above it. A release that another one of the ledger's own has
 * passed stays behind.
 */
function isPassed(db: Database, { service, fence }: Release, engineFence = 0): boolean {
  const highest = readFence(db, service);
  return fence === highest && engineFence >= highest;
}

/** The release of that id which was declared last. */
export function findNewest(db: Database, id: string, service: string): Release | undefined {
  const row = db.get(
    `SELECT * FROM releases WHERE id = $id AND service = $service
     ORDER BY fence DESC LIMIT 1`,
    { id, service },
  );
  return row && parseRelease(row);
}

/** What has the fence; each is given once. */
export function findAt(db: Database, service: string, fence: number): Release | undefined {
  const row = db.get("SELECT * FROM releases WHERE service = $service AND fence = $fence", {
    service,
    fence,
  });
  return row && parseRelease(row);
}

function retireOlder(db: Database, { service, fence }: Release): void {
  db.run(
    `UPDATE releases SET state = 'retired'
     WHERE service = $service AND state = 'serving' AND fence < $fence`,
    { service, fence },
  );
}

type Origin = Pick<Release, "ownerId" | "repositoryId" | "buildId" | "generation">;

function toRelease(db: Database, origin: Origin, draft: ReleaseDraft, fence: number): Release {
  const { id, service, specHash, digest, deployment, insteadOf } = draft;
  return {
    id,
    service,
    ownerId: origin.ownerId,
    repositoryId: origin.repositoryId,
    buildId: origin.buildId,
    generation: origin.generation,
    fence,
    specHash,
    digest,
    ...(insteadOf === undefined ? {} : { insteadOf }),
    deployment: {
      ...deployment,
      labels: { ...deployment.labels, [labels.release]: id, [labels.fence]: String(fence) },
    },
    state: "declared",
    declaredAt: db.now(),
  };
}

function saveRelease(db: Database, release: Release): void {
  db.run(
    `INSERT INTO releases (build_id, service, id, owner_id, repository_id, generation, fence,
       spec_hash, digest, deployment, instead_of, declared_at)
     VALUES ($buildId, $service, $id, $ownerId, $repositoryId, $generation, $fence,
       $specHash, $digest, $deployment, $insteadOf, $declaredAt)
     ON CONFLICT (build_id, service, id) DO UPDATE SET fence = $fence, deployment = $deployment,
       state = 'declared', declared_at = $declaredAt`,
    {
      buildId: release.buildId,
      service: release.service,
      id: release.id,
      ownerId: release.ownerId,
      repositoryId: release.repositoryId,
      generation: release.generation,
      fence: release.fence,
      specHash: release.specHash,
      digest: release.digest,
      deployment: JSON.stringify(release.deployment),
      insteadOf: release.insteadOf === undefined ? null : JSON.stringify(release.insteadOf),
      declaredAt: release.declaredAt,
    },
  );
}

function parseRelease(row: Row): Release {
  return {
    id: text(row, "id"),
    service: text(row, "service"),
    ownerId: text(row, "owner_id"),
    repositoryId: text(row, "repository_id"),
    buildId: text(row, "build_id"),
    generation: integer(row, "generation"),
    fence: integer(row, "fence"),
    specHash: text(row, "spec_hash"),
    digest: text(row, "digest"),
    deployment: json(row, "deployment", functionDeployment),
    ...(row.instead_of === null ? {} : { insteadOf: json(row, "instead_of", content) }),
    state: oneOf(row, "state", RELEASE_STATES),
    declaredAt: integer(row, "declared_at"),
  };
}
