import { ClaimLost } from "#ledger/errors.ts";
import type { Claim } from "#ledger/types/build.ts";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import { buildFunction } from "./build-function.ts";
import { deployStack } from "./deploy-stack.ts";
import { findClaim } from "./find-claim.ts";
import type { Tools } from "./tools.ts";

/**
 * Two steps of one build, both under the caller's claim (`X-Build-Id`, `X-Epoch`):
 * a body is the build context of the function `X-Function`, answered by the builder's lines;
 * without one, everything is built and the stack is switched, answered by a StackOutcome.
 */
export function createHandler(tools: Tools): Handler {
  return async function handleStep(request, log) {
    const claim = findClaim(tools.ledger, request.headers);
    const name = request.headers.get("x-function");
    if (name === null)
      return Response.json(await deployStack(tools, claim, log).catch(throwClaimLost));

    const planned = findPlanned(claim, name);
    if (request.body === null)
      throw new HttpError(400, "no-context", `The build context of "${name}" is missing.`);
    return buildFunction(tools, claim, planned, request.body, request.signal, log);
  };
}

function findPlanned({ build }: Claim, name: string) {
  const planned = build.plan?.functions.find((one) => one.name === name);
  if (planned !== undefined) return planned;
  throw new HttpError(400, "not-planned", `Build ${build.id} has no function "${name}".`);
}

/** The caller has to stop, not to try again. */
function throwClaimLost(error: unknown): never {
  if (error instanceof ClaimLost) throw new HttpError(409, "claim-lost", error.message);
  throw error;
}
