import type { Artifact } from "#ledger/types/artifact.ts";
import type { Build } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import { decideSwitch } from "./decide-switch.ts";
import type { Tools } from "./tools.ts";

export type Changed = { readonly planned: PlannedFunction; readonly artifact: Artifact };

type Division = {
  /** Serve already what was built. */
  readonly kept: readonly PlannedFunction[];
  readonly changed: readonly Changed[];
  /** Have nothing to deploy. */
  readonly missing: readonly PlannedFunction[];
};

/** What is to be done with each function of a built stack, going by what the engine runs now. */
export async function divideStack({ ledger, gateway }: Tools, build: Build): Promise<Division> {
  const running = new Map((await gateway.list()).map((status) => [status.name, status.labels]));
  const kept: PlannedFunction[] = [];
  const changed: Changed[] = [];
  const missing: PlannedFunction[] = [];
  for (const planned of build.plan?.functions ?? []) {
    const artifact = ledger.findArtifact(build.ownerId, planned.key);
    if (artifact === undefined) {
      missing.push(planned);
      continue;
    }
    const decision = decideSwitch(ledger.currentRelease(planned.service), planned, {
      build,
      digest: artifact.digest,
      running: running.get(planned.service),
    });
    if (decision === "keep") kept.push(planned);
    else changed.push({ planned, artifact });
  }
  return { kept, changed, missing };
}
