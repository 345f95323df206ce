import type { Build, Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { Release } from "#ledger/types/release.ts";
import type { Log } from "#sdk/log.ts";
import { findBefore, findOwn } from "./find-release.ts";
import { rollBack } from "./roll-back.ts";
import { type Failure, switchFunctions } from "./switch-functions.ts";
import type { Tools } from "./tools.ts";

export type StackOutcome = {
  readonly ok: boolean;
  /** Why not, per function; empty when it is live. */
  readonly failures: readonly Failure[];
};

type Planned = { readonly planned: PlannedFunction; readonly before: Release | undefined };

/**
 * Lines 8 and 9 of design.md section 6: with every artifact there, switch each function that changed. All
 * or nothing: when one never becomes healthy, those that were switched go back to what they served before.
 * May be called again after a crash at any point. Throws ClaimLost, and what a later attempt may mend.
 */
export async function deployStack(tools: Tools, claim: Claim, log: Log): Promise<StackOutcome> {
  const { ledger } = tools;
  const { build } = claim;
  checkClaim(ledger, claim);
  const functions = build.plan?.functions ?? [];
  const stack = functions.map((planned) => ({
    planned,
    before: findBefore(ledger, build, planned.service),
  }));

  const known = findFailures(ledger, build);
  const failures = known.length > 0 ? known : await switchFunctions(tools, claim, log);
  if (failures.length > 0) await rollBackAll(tools, claim, stack, log);
  return { ok: failures.length === 0, failures };
}

/** States only go forward, so this changes nothing: it throws ClaimLost when the claim is void. */
function checkClaim(ledger: Ledger, claim: Claim): void {
  ledger.setState(claim, "built");
}

/** What an attempt that was killed has found: a stack that began to go back goes all the way. */
function findFailures(ledger: Ledger, build: Build): Failure[] {
  return (build.plan?.functions ?? [])
    .filter(({ service }) => findOwn(ledger, build, service)?.state === "failed")
    .map(({ name }) => lastFailure(ledger, build, name));
}

function lastFailure(ledger: Ledger, { id }: Build, name: string): Failure {
  const told = ledger
    .listEvents(id)
    .flatMap(({ event }) => (event.type === "function" && event.name === name ? [event] : []));
  const failed = told.findLast(({ step }) => step === "failed");
  const { reason = "it did not become healthy", fault } = failed ?? {};
  return { name, reason, ...(fault && { fault }) };
}

async function rollBackAll(
  tools: Tools,
  claim: Claim,
  stack: readonly Planned[],
  log: Log,
): Promise<void> {
  checkClaim(tools.ledger, claim);
  const returned = stack.map(({ planned, before }) => rollBack(tools, claim, planned, before, log));
  await Promise.allSettled(returned);
  await Promise.all(returned);
}
