import type { BuildEvent, TerminalBuildState } from "#sdk/messages.ts";
import type { AuditEntry } from "../audit.ts";
import type { Artifact } from "./artifact.ts";
import type { Build, BuildFilter, Claim } from "./build.ts";
import type { Accepted, AcceptPush, Delivery } from "./delivery.ts";
import type { Owner, OwnerId } from "./owner.ts";
import type { Plan } from "./plan.ts";
import type { Release, ReleaseDraft, ReleaseState } from "./release.ts";
import type { Repository, RepositoryId } from "./repository.ts";
import type { Pruned, Retention } from "./retention.ts";
import type { UnsentStatus, WantedStatus } from "./status.ts";
import type { Correction, SwitchBack } from "./switch-back.ts";
import type { UnixMs } from "./unix-ms.ts";

/** The ledger: who owns what, what was promised, and how far it got (design.md section 6). */
export type Ledger = {
  // Intake
  /**
   * Lines 1, 2 and 12 in one transaction, durable once `synced` resolves: claim the owner's slug, record the delivery, raise the
   * branch's generation, add the build and its first wanted status, end older waiting or running builds
   * of the branch that may be superseded. The same delivery key again changes nothing and answers
   * `duplicate` with the first build; when that build ended failed, a new generation is made. A slug that
   * another owner holds, or a reserved one, is `refused` (with the delivery recorded).
   */
  acceptPush(push: AcceptPush): Accepted;
  /** Record a delivery that makes no build, durable once `synced` resolves; false when the key was known. */
  recordDelivery(delivery: Delivery): boolean;
  /**
   * Resolves once what was written before the call is on the disk, so that it may be promised. Others are
   * served meanwhile, and deliveries that meet wait for one sync together. Rejects when the disk refuses.
   */
  synced(): Promise<void>;
  findDelivery(key: string): Delivery | undefined;
  /** Newest first. */
  listDeliveries(limit: number): Delivery[];
  /**
   * Accept a commit without a delivery: redeploy, catch-up, retry. Same transaction as a push, delivery
   * key `manual:<build id>`.
   */
  acceptManually(
    push: Omit<AcceptPush, "deliveryKey" | "event"> & { readonly reason: string },
  ): Accepted;

  // Builds
  findBuild(id: string): Build | undefined;
  /** Newest first. */
  listBuilds(filter: BuildFilter): Build[];
  /** Builds that are not terminal and that nobody holds a live lease on (line 4). */
  listUnleased(): Build[];
  /** Builds that are not terminal, leased or not, oldest first. */
  listOpen(): Build[];
  /**
   * Line 5: take the build by compare-and-set on its epoch, for `leaseMs`. `undefined` when it is
   * terminal, leased, or another build of its branch is running. The sixth claim without an end fails
   * the build instead (line 13), unless it is deploying, with `status` for the commit.
   */
  claimBuild(id: string, worker: string, leaseMs: number): Claim | undefined;
  /** False when the claim is void: stop. */
  renewClaim(claim: Claim, leaseMs: number): boolean;
  /**
   * Give the build back for a later attempt without ending it. `uncounted` when the attempt met a source
   * that is down: no number of those says anything about the build.
   */
  releaseClaim(claim: Claim, uncounted?: boolean): void;
  /** Void every lease; at boot, when the data folder's lock proves that no other worker lives. */
  voidLeases(): void;
  /** Line 7, once: state becomes `planned`. Throws ClaimLost when the claim is void. */
  storePlan(claim: Claim, plan: Plan, statuses: readonly WantedStatus[]): void;
  setState(claim: Claim, state: "building" | "built"): void;
  /** Line 8: compare-and-set to `deploying` when all artifacts are there and the generation is current. False when a newer build waits. */
  beginDeploying(claim: Claim): boolean;
  /** Line 11: terminal state and the statuses it wants, one transaction. */
  endBuild(
    claim: Claim,
    state: TerminalBuildState,
    reason: string,
    statuses: readonly WantedStatus[],
  ): void;
  /** End a build nobody needs to hold: cancel by hand. False when it is terminal or deploying. */
  cancelBuild(id: string, reason: string): boolean;
  /** The newest live build of a branch. */
  findLive(repositoryId: RepositoryId, branch: string): Build | undefined;

  // Artifacts
  /** Insert if absent (line 7); the digest in force afterwards. */
  recordArtifact(artifact: Artifact): Artifact;
  findArtifact(ownerId: OwnerId, key: string): Artifact | undefined;
  /** Whether anything of the owner's has this content. */
  hasArtifact(ownerId: OwnerId, digest: string): boolean;
  listArtifacts(): Artifact[];
  forgetArtifact(ownerId: OwnerId, key: string): void;

  // Releases
  /**
   * Line 9: the release of this build, function and release id, made once; its deployment comes back with
   * the labels `release` and `fence`. A function name that another owner or repository holds throws
   * NameTaken. `minFence` lifts the counter when the engine reported a higher one.
   */
  declareRelease(claim: Claim, release: ReleaseDraft, minFence?: number): Release;
  /**
   * A roll-back by hand: what `target` deploys, as a new release under a fence of its own; its label of a
   * secrets version goes into the release's id. Throws where nothing serves any more. The same `target` while nothing has changed is the same release again.
   */
  declareRollback(target: Release, minFence?: number): Release;
  /** Roll-backs by hand that a crash has kept from being deployed or recorded. */
  listUnfinishedRollbacks(): Release[];
  markRelease(id: string, service: string, state: ReleaseState): void;
  /**
   * `from` failed and `to` serves under its fence, with all corrections, in one transaction. False, without
   * effect, when `from` does not serve any more or the fence was given to another release meanwhile.
   */
  recordSwitchBack(back: SwitchBack): boolean;
  /** What crashes over and over has nothing to go back to. False, without effect, when all was told before. */
  recordCrashLoop(corrections: readonly Correction[]): boolean;
  /** What serves, as far as the ledger knows. */
  currentRelease(service: string): Release | undefined;
  /** Newest first, retired ones included. */
  listReleases(service: string, limit: number): Release[];
  listServing(filter: {
    readonly ownerId?: OwnerId;
    readonly repositoryId?: RepositoryId;
  }): Release[];
  /** Free the function's name (30 days for other owners, at once for the same owner). */
  removeFunction(service: string): void;

  // Statuses
  /** Want a status outside a build's own transactions. */
  wantStatus(repositoryId: RepositoryId, sha: string, status: WantedStatus, buildId?: string): void;
  /** Newest version of each context that was not sent and is due, oldest first. */
  listUnsent(
    now: UnixMs,
    filter?: { readonly repositoryId?: RepositoryId; readonly sha?: string },
  ): UnsentStatus[];
  /** All contexts of a commit, sent or not. */
  listStatuses(
    repositoryId: RepositoryId,
    sha: string,
  ): (UnsentStatus & { readonly sent: boolean })[];
  markSent(status: UnsentStatus, checkRunId?: number): void;
  /** Try again at `retryAt`; the error is kept for people. */
  markUnsent(status: UnsentStatus, error: string, retryAt: UnixMs): void;

  // Owners
  findOwner(id: OwnerId): Owner | undefined;
  findOwnerBySlug(slug: string): Owner | undefined;
  listOwners(): Owner[];
  /** Free the owner's slug (30 days for other owners, at once for the same owner). */
  removeOwner(id: OwnerId): void;
  /** Remember a repository whose pushes make no build, so that its commits can be told why. */
  recordRepository(repository: Repository): void;
  findRepository(id: RepositoryId): Repository | undefined;
  listRepositories(ownerId?: OwnerId): Repository[];
  /** Owner of a function's name, if one holds it. */
  ownerOfFunction(
    service: string,
  ): { readonly ownerId: OwnerId; readonly repositoryId: RepositoryId } | undefined;

  // What an owner uses, for quotas
  /** When the owner's n-th newest build was accepted; `undefined` when there are fewer. */
  nthNewestBuild(ownerId: OwnerId, n: number): UnixMs | undefined;
  /** Functions that serve or that a build under way will deploy, but for those of one repository. */
  countFunctions(ownerId: OwnerId, exceptRepositoryId: RepositoryId): number;
  /** Bytes of the owner's artifacts; those of equal content are there once. */
  sumArtifacts(ownerId: OwnerId): number;

  // Events
  /** Append to what the pusher and the dashboard follow. */
  addEvent(buildId: string, event: BuildEvent): void;
  listEvents(
    buildId: string,
    afterSequence?: number,
  ): { readonly sequence: number; readonly event: BuildEvent }[];
  /** Called after each committed change about the build (events, states); returns the unsubscriber. */
  watch(buildId: string, changed: () => void): () => void;
  /**
   * Called after each committed change of what a function serves or can go back to, its removal included;
   * returns the unsubscriber.
   */
  watchReleases(changed: (service: string) => void): () => void;

  recordAudit(entries: readonly AuditEntry[]): void;

  /**
   * Forget up to `batch` of each kind of what ended long ago. Never what serves or can be gone back to, the
   * newest build of a branch, a status that is still to be told, or a delivery that may come again.
   */
  prune(retention: Retention, batch: number): Pruned;
  /**
   * Remember which of the stored secrets are used now. Answers those that were used once and not since
   * `before`; one that never was, is somebody's who has not come to use it.
   */
  noteSecretUses(
    stored: readonly string[],
    isUsed: (name: string) => boolean,
    before: UnixMs,
  ): string[];
  close(): void;
};
