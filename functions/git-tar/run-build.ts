import { ClaimLost } from "#ledger/errors.ts";
import { standsFor } from "#ledger/stands-for.ts";
import type { Build, Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Owner } from "#ledger/types/owner.ts";
import type { Plan, PlannedFunction } from "#ledger/types/plan.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import type { StatusUrls } from "#sdk/status-urls.ts";
import { collectGarbage, reportStatus } from "./after-build.ts";
import { BuildFailed, LIVE } from "./build-failed.ts";
import { buildFunctions } from "./build-functions.ts";
import { endBuild } from "./end-build.ts";
import { followHead } from "./follow-head.ts";
import { LeaseLost } from "./hold-lease.ts";
import {
  type OwnerQuotas,
  readOwnerQuotas,
  refuseArtifacts,
  refuseFunctions,
} from "./owner-quotas.ts";
import { refuseSecrets } from "./refuse-secrets.ts";
import type { Source } from "./source.ts";
import { type Commit, plannedStatuses } from "./statuses.ts";
import { switchStack } from "./switch-stack.ts";

/** Everything a build touches outside itself. */
export type RunTools = {
  readonly ledger: Ledger;
  readonly gateway: GatewayClient;
  /** The repository at its source: head, commit, plan, build contexts. */
  readonly openSource: (repository: Repository, owner: Owner) => Promise<Source>;
  readonly urls: StatusUrls;
  /** Functions of one push that are built at once. */
  readonly concurrency: number;
  readonly quotas?: OwnerQuotas;
  /** Drop what the owner's artefacts can do without, when there are too many. */
  readonly makeRoom?: () => Promise<void>;
  /** Why nothing more can be built for anybody now, or `undefined`: the disk is full. */
  readonly refuseMore?: () => string | undefined;
};

const DEFAULT_QUOTAS = readOwnerQuotas({});

/**
 * The steps of design.md section 6 under one claim. Returns when the build is terminal or the claim is
 * lost; throws what a later attempt may mend.
 */
export async function runBuild(
  tools: RunTools,
  claim: Claim,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const commit = findCommit(tools, claim.build);
  try {
    const ending = await carryOut(tools, claim, commit, signal).catch(toEnding);
    endBuild(tools.ledger, commit, claim, ending, log);
  } catch (error) {
    if (!isLost(error) && !isLost(signal.reason)) throw error;
    log.info("build-left", { reason: describe(signal.reason ?? error) });
  }
  await reportStatus(tools, claim.build, log);
}

function toEnding(error: unknown) {
  if (error instanceof BuildFailed) return error.ending;
  throw error;
}

async function carryOut(tools: RunTools, claim: Claim, commit: Commit, signal: AbortSignal) {
  // Once switching has begun the head does not matter any more, and what is to be deployed is recorded.
  if (claim.build.state !== "deploying") await buildStack(tools, claim, commit, signal);
  await switchStack(tools.gateway, claim);
  await collectGarbage(tools, claim);
  return LIVE;
}

/** Everything up to the point from which the build is not cancelled any more. */
async function buildStack(
  tools: RunTools,
  claim: Claim,
  commit: Commit,
  signal: AbortSignal,
): Promise<void> {
  const { ledger, gateway, concurrency } = tools;
  const { build } = claim;
  const source = await tools.openSource(commit.repository, commit.owner);
  const tell = (event: DistributiveOmit<BuildEvent, "v" | "at">) =>
    ledger.addEvent(build.id, { v: 1, at: Date.now(), ...event });

  const started = performance.now();
  // Asked side by side, since the head almost always is this commit; what it says comes first.
  const [head, fetched] = await Promise.allSettled([
    source.readHead(build.branch, signal),
    source.fetchCommit(build.sha, signal),
  ]);
  if (head.status === "rejected") throw head.reason;
  followHead(ledger, commit, build, head.value);
  if (fetched.status === "rejected") throw fetched.reason;
  tell({ type: "fetched", ms: Math.round(performance.now() - started) });

  const plan = build.plan ?? (await planOnce(tools, claim, source, commit, signal));
  tell({
    type: "planned",
    repository: commit.repository.name,
    sha: build.sha,
    functions: plan.functions.map((planned) => ({
      name: planned.name,
      lang: planned.lang,
      action: decideAction(ledger, commit.owner, planned),
    })),
  });

  ledger.setState(claim, "building");
  const missing = plan.functions.filter(({ key }) => !ledger.findArtifact(commit.owner.id, key));
  if (missing.length > 0) await requireRoom(tools, commit.owner);
  await buildFunctions({ gateway, claim, source, missing, concurrency, signal, tell });
  ledger.setState(claim, "built");
  if (!ledger.beginDeploying(claim)) throw new LeaseLost("A newer push of the branch takes over.");
}

async function planOnce(
  { ledger, quotas = DEFAULT_QUOTAS }: RunTools,
  claim: Claim,
  source: Source,
  commit: Commit,
  signal: AbortSignal,
): Promise<Plan> {
  const { plan, notes } = await source.plan(claim.build, signal);
  // Before the plan: the next attempt tells them again rather than never.
  const at = Date.now();
  for (const text of notes) ledger.addEvent(claim.build.id, { v: 1, at, type: "note", text });
  const { owner, repository } = commit;
  const elsewhere = ledger.countFunctions(owner.id, repository.id);
  const refusal =
    refuseFunctions(owner.login, plan.functions.length, elsewhere, quotas) ??
    refuseSecrets(owner, plan, ledger.listOwners(), ledger.listServing({}));
  if (refusal !== undefined) throw new BuildFailed("failed", refusal);
  ledger.storePlan(claim, plan, plannedStatuses(commit, plan));
  return plan;
}

async function requireRoom(
  { ledger, quotas = DEFAULT_QUOTAS, makeRoom, refuseMore }: RunTools,
  { id, login }: Owner,
): Promise<void> {
  const full = refuseMore?.();
  if (full !== undefined) throw new BuildFailed("failed", full, [], "platform");
  if (refuseArtifacts(login, ledger.sumArtifacts(id), quotas) === undefined) return;
  await makeRoom?.();
  const refusal = refuseArtifacts(login, ledger.sumArtifacts(id), quotas);
  if (refusal !== undefined) throw new BuildFailed("failed", refusal);
}

/** Build what has no artifact, deploy what changed, leave the rest alone. */
function decideAction(
  ledger: Ledger,
  owner: Owner,
  planned: PlannedFunction,
): "build" | "deploy" | "unchanged" {
  const artifact = ledger.findArtifact(owner.id, planned.key);
  if (artifact === undefined) return "build";
  const current = ledger.currentRelease(planned.service);
  const pushed = { specHash: planned.specHash, digest: artifact.digest };
  return current !== undefined && standsFor(current, pushed) ? "unchanged" : "deploy";
}

function findCommit({ ledger, urls }: RunTools, build: Build): Commit {
  const owner = ledger.findOwner(build.ownerId);
  const repository = ledger.findRepository(build.repositoryId);
  if (owner === undefined || repository === undefined) {
    throw new Error(`The owner or repository of build ${build.id} is not in the ledger.`);
  }
  return { owner, repository, sha: build.sha, urls };
}

function isLost(error: unknown): boolean {
  return error instanceof ClaimLost || error instanceof LeaseLost;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
