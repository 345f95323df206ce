import { labels } from "#sdk/labels.ts";
import type { Database } from "./database.ts";
import { addEvent } from "./events.ts";
import { raiseFence, readFence } from "./fences.ts";
import { findAt, findNewest } from "./releases.ts";
import { listStatuses, wantStatus } from "./statuses.ts";
import type { Release } from "./types/release.ts";
import type { Correction, SwitchBack } from "./types/switch-back.ts";

/**
 * Design.md section 7, line 6. A build that ended live stays `live`, because it was: what came after is told
 * by its commit's statuses and at the end of its log.
 */
export function recordSwitchBack(db: Database, back: SwitchBack): boolean {
  return db.transaction(() => {
    const { service, from, to } = back;
    const failed = findNewest(db, from.release, service);
    if (failed?.state !== "serving" || failed.fence !== from.fence) return false;
    const holder = findAt(db, service, to.fence);
    // Another release was given that fence, and gets a higher one when the engine refuses it.
    if (holder !== undefined && holder.id !== to.release) return false;

    markFailed(db, failed);
    const returned = findNewest(db, to.release, service);
    if (returned !== undefined) serveAgain(db, returned, to.fence);
    for (const correction of back.corrections) tellCorrection(db, correction);
    db.changed(failed.buildId);
    db.releasesChanged(service);
    return true;
  });
}

/** Nothing is there to go back to. What a commit shows already is not told again: then nothing is written. */
export function recordCrashLoop(db: Database, corrections: readonly Correction[]): boolean {
  const due = corrections.filter((one) => !isTold(db, one));
  if (due.length === 0) return false;
  return db.transaction(() => {
    for (const correction of due) {
      tellCorrection(db, correction);
      db.changed(correction.build.id);
    }
    return true;
  });
}

function isTold(db: Database, { build, name }: Correction): boolean {
  return listStatuses(db, build).some(
    ({ context, state, buildId }) =>
      context === name && state === "failure" && buildId === build.id,
  );
}

function markFailed(db: Database, { service, fence }: Release): void {
  db.run("UPDATE releases SET state = 'failed' WHERE service = $service AND fence = $fence", {
    service,
    fence,
  });
}

/** Its record moves to the fence under which it serves now. */
function serveAgain(db: Database, release: Release, fence: number): void {
  const { service, deployment } = release;
  if (fence > readFence(db, service)) raiseFence(db, service, fence - 1);
  const moved = {
    ...deployment,
    labels: { ...deployment.labels, [labels.fence]: String(fence) },
  };
  db.run(
    `UPDATE releases SET fence = $next, deployment = $deployment, state = 'serving'
     WHERE service = $service AND fence = $fence`,
    { service, fence: release.fence, next: fence, deployment: JSON.stringify(moved) },
  );
}

function tellCorrection(db: Database, { build, name, reason, statuses }: Correction): void {
  for (const status of statuses) wantStatus(db, build, status, build.id);
  const at = db.now();
  addEvent(db, build.id, { v: 1, at, type: "function", name, step: "failed", reason });
}
