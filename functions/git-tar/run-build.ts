import { ClaimLost } from "#ledger/errors.ts";
import type {
  Build,
  Claim,
  Ledger,
  Owner,
  Plan,
  PlannedFunction,
  Repository,
} from "#ledger/types.ts";
import { describe } from "#sdk/errors.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import type { StatusUrls } from "#sdk/status-urls.ts";
import { collectGarbage, reportStatus } from "./after-build.ts";
import { BuildFailed } from "./build-failed.ts";
import { buildFunctions } from "./build-functions.ts";
import { endedEvent } from "./ended-event.ts";
import { followHead } from "./follow-head.ts";
import { LeaseLost } from "./hold-lease.ts";
import type { Source } from "./source.ts";
import { type Commit, endStatuses, plannedStatuses } from "./statuses.ts";
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
};

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
  try {
    await carryOut(tools, claim, signal);
    await collectGarbage(tools, claim);
    end(tools, claim, new BuildFailed("live", ""), log);
  } catch (error) {
    if (error instanceof BuildFailed) end(tools, claim, error, log);
    else if (isLost(error) || isLost(signal.reason))
      log.info("build-left", { reason: describe(signal.reason ?? error) });
    else throw error;
  }
  await reportStatus(tools, claim.build, log);
}

async function carryOut(tools: RunTools, claim: Claim, signal: AbortSignal): Promise<void> {
  const { ledger, gateway, concurrency } = tools;
  const { build } = claim;
  // Switching had begun: the head does not matter any more, and what is to be deployed is recorded.
  if (build.state === "deploying") return switchStack(gateway, claim);
  const commit = findCommit(tools, build);
  const source = await tools.openSource(commit.repository, commit.owner);
  const tell = (event: DistributiveOmit<BuildEvent, "v" | "at">) =>
    ledger.addEvent(build.id, { v: 1, at: Date.now(), ...event });

  followHead(ledger, commit, build, await source.readHead(build.branch, signal));
  const started = performance.now();
  await source.fetchCommit(build.sha, signal);
  tell({ type: "fetched", ms: Math.round(performance.now() - started) });

  const plan = build.plan ?? (await planOnce(ledger, claim, source, commit, signal));
  const missing = plan.functions.filter(
    ({ key }) => ledger.findArtifact(commit.owner.id, key) === undefined,
  );
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
  await buildFunctions({ gateway, claim, source, missing, concurrency, signal, tell });
  ledger.setState(claim, "built");
  if (!ledger.beginDeploying(claim)) throw new LeaseLost("A newer push of the branch takes over.");
  await switchStack(gateway, claim);
}

async function planOnce(
  ledger: Ledger,
  claim: Claim,
  source: Source,
  commit: Commit,
  signal: AbortSignal,
): Promise<Plan> {
  const { plan, notes } = await source.plan(claim.build, signal);
  ledger.storePlan(claim, plan, plannedStatuses(commit, plan));
  const at = Date.now();
  for (const text of notes) ledger.addEvent(claim.build.id, { v: 1, at, type: "note", text });
  return plan;
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
  const same = current?.specHash === planned.specHash && current.digest === artifact.digest;
  return same ? "unchanged" : "deploy";
}

/** Line 11: the terminal state and what the commit shall show, in one transaction. */
function end(tools: RunTools, claim: Claim, ending: BuildFailed, log: Log): void {
  const { ledger } = tools;
  const { state, message: reason, failures } = ending;
  const commit = findCommit(tools, claim.build);
  const build = ledger.findBuild(claim.build.id) ?? claim.build;
  try {
    const statuses = endStatuses(commit, build.plan, { state, reason, failures });
    ledger.endBuild(claim, state, reason, statuses);
    ledger.addEvent(build.id, endedEvent(commit, build, ending, Date.now()));
    log.info("build-ended", { state, reason });
  } catch (error) {
    if (!isLost(error)) throw error;
    log.info("build-left", { reason: describe(error) });
  }
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
