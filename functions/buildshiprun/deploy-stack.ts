import { createHash } from "node:crypto";
import { NameTaken } from "#ledger/errors.ts";
import type { Claim, PlannedFunction, Release } from "#ledger/types.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { decideSwitch } from "./decide-switch.ts";
import { rollBack } from "./roll-back.ts";
import type { Tools } from "./tools.ts";
import { withRelease } from "./with-release.ts";

export type StackOutcome = {
  readonly ok: boolean;
  /** Why not, per function; empty when it is live. */
  readonly failures: readonly { readonly name: string; readonly reason: string }[];
};

/**
 * Line 8 and 9: with every artifact there, declare a release for each function that changed and switch to
 * it. All or nothing: when one never becomes healthy, those that were switched go back to what they
 * served before.
 */
export async function deployStack(tools: Tools, claim: Claim, log: Log): Promise<StackOutcome> {
  const functions = claim.build.plan?.functions ?? [];
  const running = new Map((await tools.gateway.list()).map((status) => [status.name, status]));
  const results = await Promise.all(
    functions.map((planned) =>
      deployOne(tools, claim, planned, running.get(planned.service)?.labels, log),
    ),
  );

  const failures = results.flatMap(({ planned, reason }) =>
    reason === undefined ? [] : [{ name: planned.name, reason }],
  );
  if (failures.length === 0) return { ok: true, failures };
  for (const { release } of results)
    if (release !== undefined) await rollBack(tools, claim, release, log);
  return { ok: false, failures };
}

type Result = {
  readonly planned: PlannedFunction;
  /** The release that was switched to; absent when nothing changed or nothing was switched. */
  readonly release?: Release;
  readonly reason?: string;
};

async function deployOne(
  tools: Tools,
  claim: Claim,
  planned: PlannedFunction,
  runningLabels: Readonly<Record<string, string>> | undefined,
  log: Log,
): Promise<Result> {
  const artifact = tools.ledger.findArtifact(claim.build.ownerId, planned.key);
  if (artifact === undefined)
    return { planned, reason: "its artifact is gone; push again or ./ofc redeploy" };
  const decision = decideSwitch(
    tools.ledger.currentRelease(planned.service),
    planned,
    artifact.digest,
    claim.build.id,
    runningLabels,
  );
  if (decision === "keep") {
    tell(tools, claim, { type: "function", name: planned.name, step: "unchanged" });
    return { planned };
  }

  const started = performance.now();
  tell(tools, claim, { type: "function", name: planned.name, step: "starting" });
  try {
    const release = await switchTo(tools, claim, planned, artifact.digest);
    const ms = Math.round(performance.now() - started);
    tell(tools, claim, { type: "function", name: planned.name, step: "healthy", ms });
    log.info("function-deployed", {
      build: claim.build.id,
      service: planned.service,
      fence: release.fence,
      duration_ms: ms,
    });
    return { planned, release };
  } catch (error) {
    if (!(error instanceof HttpError) && !(error instanceof NameTaken)) throw error;
    if (error instanceof HttpError && error.status >= 500) throw error;
    const { reason, tail } = splitTail(error.message);
    for (const text of tail) tell(tools, claim, { type: "log", name: planned.name, text });
    tell(tools, claim, { type: "function", name: planned.name, step: "failed", reason });
    return { planned, reason };
  }
}

/** The provider puts the last lines of a replica that never became healthy behind the reason. */
function splitTail(message: string): { readonly reason: string; readonly tail: readonly string[] } {
  const [reason = "", lines] = message.split(" Its last lines:\n");
  return { reason, tail: lines?.split("\n") ?? [] };
}

/** Declare, deploy, record; a fence that the engine has passed is lifted above it and tried once more. */
async function switchTo(
  tools: Tools,
  claim: Claim,
  planned: PlannedFunction,
  digest: string,
  minFence?: number,
): Promise<Release> {
  const release = tools.ledger.declareRelease(
    claim,
    {
      id: releaseId(claim, planned, digest),
      service: planned.service,
      specHash: planned.specHash,
      digest,
      deployment: { ...planned.deployment, image: `${planned.image}@${digest}` },
    },
    minFence,
  );
  try {
    await tools.gateway.deploy(withRelease(release, tools.now()));
  } catch (error) {
    const ahead = fenceAhead(error);
    if (ahead !== undefined && minFence === undefined)
      return switchTo(tools, claim, planned, digest, ahead);
    tools.ledger.markRelease(release.id, release.service, "failed");
    throw error;
  }
  tools.ledger.markRelease(release.id, release.service, "serving");
  return release;
}

/** The fence in force of a `stale-fence` refusal (provider/provider.ts). */
function fenceAhead(error: unknown): number | undefined {
  const match =
    error instanceof HttpError && error.status === 409 ? /fence (\d+)/.exec(error.message) : null;
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function releaseId({ build }: Claim, planned: PlannedFunction, digest: string): string {
  const parts = [build.ownerId, planned.service, build.generation, planned.specHash, digest];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

type Told = Extract<BuildEvent, { type: "function" | "log" }>;
type Untimed<Event> = Event extends unknown ? Omit<Event, "v" | "at"> : never;

function tell({ ledger }: Tools, { build }: Claim, event: Untimed<Told>): void {
  ledger.addEvent(build.id, { v: 1, at: Date.now(), ...event });
}
