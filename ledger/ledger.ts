import type { DatabaseSync } from "node:sqlite";
import { createWalSync, type WalSync } from "#sdk/wal-sync.ts";
import * as artifacts from "./artifacts.ts";
import { recordAudit } from "./audit.ts";
import * as builds from "./builds.ts";
import { createDatabase, type Database, openFile } from "./database.ts";
import * as deliveries from "./deliveries.ts";
import * as endings from "./endings.ts";
import * as events from "./events.ts";
import * as intake from "./intake.ts";
import * as leases from "./leases.ts";
import { migrate } from "./migrations.ts";
import * as owners from "./owners.ts";
import * as progress from "./progress.ts";
import * as releases from "./releases.ts";
import * as repositories from "./repositories.ts";
import { prune } from "./retention.ts";
import { noteSecretUses } from "./secret-uses.ts";
import * as statuses from "./statuses.ts";
import { recordCrashLoop, recordSwitchBack } from "./switch-backs.ts";
import type { Ledger } from "./types/ledger.ts";
import type { UnixMs } from "./types/unix-ms.ts";
import * as usage from "./usage.ts";
import { createWatchers, type Watchers } from "./watchers.ts";
import { createWriteNames } from "./write-names.ts";

export type LedgerOptions = {
  /** File to open or make (mode 0600), or `:memory:`. */
  readonly path: string;
  readonly now?: () => UnixMs;
  /** Called around the commit of each write with `<method>:before` and `<method>:after`; tests end the process there. */
  readonly onWrite?: (point: string) => void;
};

/** Open the ledger, bringing an older file to the newest version; a newer file is refused. */
export function openLedger({ path, now = Date.now, onWrite }: LedgerOptions): Ledger {
  const file = openFile(path);
  try {
    migrate(file);
  } catch (error) {
    file.close();
    throw error;
  }
  const watchers = createWatchers();
  const wal = createWalSync(path);
  const make = (db: Database) => createLedger({ file, db, watchers, wal });
  if (onWrite === undefined) return make(createDatabase(file, now, watchers, { wal }));
  const names = createWriteNames(onWrite);
  const { onCommit } = names;
  return names.follow(make(createDatabase(file, now, watchers, { wal, onCommit })));
}

type Parts = {
  readonly file: DatabaseSync;
  readonly db: Database;
  readonly watchers: Watchers;
  readonly wal: WalSync;
};

function createLedger({ file, db, watchers, wal }: Parts): Ledger {
  return {
    acceptPush: (push) => intake.acceptPush(db, push),
    acceptManually: (push) => intake.acceptManually(db, push),
    recordDelivery: (delivery) => deliveries.recordDelivery(db, delivery),
    synced: wal.synced,
    findDelivery: (key) => deliveries.findDelivery(db, key),
    listDeliveries: (limit) => deliveries.listDeliveries(db, limit),

    findBuild: (id) => builds.findBuild(db, id),
    listBuilds: (filter) => builds.listBuilds(db, filter),
    listUnleased: () => builds.listUnleased(db),
    findLive: (repositoryId, branch) => builds.findLive(db, repositoryId, branch),
    listOpen: () => builds.listAllOpen(db),
    claimBuild: (id, worker, leaseMs) => leases.claimBuild(db, id, worker, leaseMs),
    renewClaim: (claim, leaseMs) => leases.renewClaim(db, claim, leaseMs),
    releaseClaim: (claim, uncounted) => leases.releaseClaim(db, claim, uncounted),
    voidLeases: () => leases.voidLeases(db),
    storePlan: (claim, plan, wanted) => progress.storePlan(db, claim, plan, wanted),
    setState: (claim, state) => progress.setState(db, claim, state),
    beginDeploying: (claim) => progress.beginDeploying(db, claim),
    endBuild: (claim, state, reason, wanted) => endings.endBuild(db, claim, state, reason, wanted),
    cancelBuild: (id, reason) => endings.cancelBuild(db, id, reason),

    recordArtifact: (artifact) => artifacts.recordArtifact(db, artifact),
    findArtifact: (ownerId, key) => artifacts.findArtifact(db, ownerId, key),
    hasArtifact: (ownerId, digest) => artifacts.hasArtifact(db, ownerId, digest),
    listArtifacts: () => artifacts.listArtifacts(db),
    forgetArtifact: (ownerId, key) => artifacts.forgetArtifact(db, ownerId, key),

    declareRelease: (claim, draft, minFence) => releases.declareRelease(db, claim, draft, minFence),
    declareRollback: (target, minFence) => releases.declareRollback(db, target, minFence),
    listUnfinishedRollbacks: () => releases.listUnfinishedRollbacks(db),
    markRelease: (id, service, state) => releases.markRelease(db, id, service, state),
    recordSwitchBack: (back) => recordSwitchBack(db, back),
    recordCrashLoop: (corrections) => recordCrashLoop(db, corrections),
    currentRelease: (service) => releases.currentRelease(db, service),
    listReleases: (service, limit) => releases.listReleases(db, service, limit),
    listServing: (filter) => releases.listServing(db, filter),
    removeFunction: (service) => releases.removeFunction(db, service),
    ownerOfFunction: (service) => releases.ownerOfFunction(db, service),

    wantStatus: (repositoryId, sha, status, buildId) =>
      statuses.wantStatus(db, { repositoryId, sha }, status, buildId),
    listUnsent: (at, filter) => statuses.listUnsent(db, at, filter),
    listStatuses: (repositoryId, sha) => statuses.listStatuses(db, { repositoryId, sha }),
    markSent: (status, checkRunId) => statuses.markSent(db, status, checkRunId),
    markUnsent: (status, error, retryAt) => statuses.markUnsent(db, status, error, retryAt),

    findOwner: (id) => owners.findOwner(db, id),
    findOwnerBySlug: (slug) => owners.findOwnerBySlug(db, slug),
    listOwners: () => owners.listOwners(db),
    removeOwner: (id) => owners.removeOwner(db, id),
    recordRepository: (repository) => repositories.recordRepository(db, repository),
    findRepository: (id) => repositories.findRepository(db, id),
    listRepositories: (ownerId) => repositories.listRepositories(db, ownerId),

    nthNewestBuild: (ownerId, n) => usage.nthNewestBuild(db, ownerId, n),
    countFunctions: (ownerId, except) => usage.countFunctions(db, ownerId, except),
    sumArtifacts: (ownerId) => usage.sumArtifacts(db, ownerId),

    addEvent: (buildId, event) => events.addEvent(db, buildId, event),
    listEvents: (buildId, after) => events.listEvents(db, buildId, after),
    watch: watchers.watch,
    watchReleases: watchers.watchReleases,

    recordAudit: (entries) => recordAudit(db, entries),
    prune: (retention, batch) => prune(db, retention, batch),
    noteSecretUses: (stored, isUsed, before) => noteSecretUses(db, stored, isUsed, before),
    close() {
      void wal.close();
      file.close();
    },
  };
}
