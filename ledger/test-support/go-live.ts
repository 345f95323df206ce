import type { Build } from "../types/build.ts";
import type { Ledger } from "../types/ledger.ts";
import type { PlannedFunction } from "../types/plan.ts";
import type { ReleaseDraft, ReleaseState } from "../types/release.ts";
import {
  buildOf,
  claim,
  deployUp,
  plannedFunction,
  planOf,
  push,
  releaseDraft,
  shaOf,
} from "./set-up.ts";

type Outcome = {
  readonly sha?: string;
  readonly planned?: PlannedFunction;
  /** What is unlike `releaseDraft`'s. */
  readonly release?: Partial<ReleaseDraft>;
  readonly state?: ReleaseState;
};

/** A push whose function serves, or was to in another `state`; its build has ended. */
export function goLive(
  ledger: Ledger,
  {
    sha = shaOf(1),
    planned = plannedFunction("cart"),
    release = {},
    state = "serving",
  }: Outcome = {},
): Build {
  const build = buildOf(ledger.acceptPush(push({ sha })));
  const held = claim(ledger, build);
  deployUp(ledger, held, planOf(planned));
  const draft = { ...releaseDraft(planned.service), ...release };
  const { id, service } = ledger.declareRelease(held, draft);
  ledger.markRelease(id, service, state);
  ledger.endBuild(held, state === "serving" ? "live" : "failed", "", []);
  return build;
}
