import { createHash } from "node:crypto";
import { NameTaken } from "#ledger/errors.ts";
import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { Release } from "#ledger/types/release.ts";
import type { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Fault } from "#sdk/messages.ts";
import { deployRelease, isRefusal } from "./deploy-release.ts";
import { type Changed, divideStack } from "./divide-stack.ts";
import { tell } from "./tell.ts";
import type { Tools } from "./tools.ts";

export type Failure = { readonly name: string; readonly reason: string; readonly fault?: Fault };

/**
 * Declare a release for each function that changed, then switch to them side by side; nothing is switched
 * when one cannot be declared. Resolves with what was refused, and only when nothing is under way any more.
 */
export async function switchFunctions(tools: Tools, claim: Claim, log: Log): Promise<Failure[]> {
  const { kept, changed, missing } = await divideStack(tools, claim.build);
  if (missing.length > 0)
    return missing.map((planned) =>
      fail(tools, claim, planned, "its artifact is gone; push again or ./ofc redeploy", "platform"),
    );
  const { declared, failures } = declareAll(tools, claim, changed);
  if (failures.length > 0) return failures;

  for (const { name } of kept) tell(tools, claim, { type: "function", name, step: "unchanged" });
  const switched = declared.map((one) => switchOne(tools, claim, one, log));
  await Promise.allSettled(switched);
  return (await Promise.all(switched)).filter((failure) => failure !== undefined);
}

type Declared = { readonly planned: PlannedFunction; readonly release: Release };

function declareAll(tools: Tools, claim: Claim, changed: readonly Changed[]) {
  const declared: Declared[] = [];
  const failures: Failure[] = [];
  for (const { planned, artifact } of changed) {
    try {
      const draft = draftRelease(claim, planned, artifact.digest);
      declared.push({ planned, release: tools.ledger.declareRelease(claim, draft) });
    } catch (error) {
      if (!(error instanceof NameTaken)) throw error;
      failures.push(fail(tools, claim, planned, error.message));
    }
  }
  return { declared, failures };
}

function draftRelease({ build }: Claim, planned: PlannedFunction, digest: string) {
  const { service, specHash, image } = planned;
  const parts = [build.ownerId, service, build.generation, specHash, digest];
  return {
    id: createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32),
    service,
    specHash,
    digest,
    deployment: { ...planned.deployment, image: `${image}@${digest}` },
  };
}

async function switchOne(
  tools: Tools,
  claim: Claim,
  { planned, release }: Declared,
  log: Log,
): Promise<Failure | undefined> {
  const { name, service } = planned;
  const started = performance.now();
  tell(tools, claim, { type: "function", name, step: "starting" });
  try {
    const { fence } = await deployRelease(tools, release, (ahead) =>
      tools.ledger.declareRelease(claim, release, ahead),
    );
    const ms = Math.round(performance.now() - started);
    tell(tools, claim, { type: "function", name, step: "healthy", ms });
    log.info("function-deployed", { build: claim.build.id, service, fence, duration_ms: ms });
    return undefined;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { reason, tail } = splitTail(error);
    for (const text of tail) tell(tools, claim, { type: "log", name, text });
    // The registry is away, or an operator took the image from it.
    const fault = error.code === "missing-image" ? "platform" : undefined;
    const failure = fail(tools, claim, planned, reason, fault);
    // After its reason: whoever goes on after a crash finds both.
    tools.ledger.markRelease(release.id, service, "failed");
    return failure;
  }
}

function fail(
  tools: Tools,
  claim: Claim,
  { name }: PlannedFunction,
  reason: string,
  fault?: Fault,
): Failure {
  const failure = { name, reason, ...(fault && { fault }) };
  tell(tools, claim, { type: "function", step: "failed", ...failure });
  return failure;
}

/** The provider puts the last lines of a replica that never became healthy behind the reason. */
function splitTail({ message }: HttpError) {
  const [reason = "", lines] = message.split(" Its last lines:\n");
  return { reason, tail: lines?.split("\n") ?? [] };
}
