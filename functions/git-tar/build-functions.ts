import type { Claim, PlannedFunction } from "#ledger/types.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { BuildFailed } from "./build-failed.ts";
import { readBuildResult } from "./read-build-result.ts";
import type { Source } from "./source.ts";

type FunctionEvent = Omit<Extract<BuildEvent, { type: "function" }>, "v" | "at">;
type LogEvent = Omit<Extract<BuildEvent, { type: "log" }>, "v" | "at">;

export type BuildWork = {
  readonly gateway: GatewayClient;
  readonly claim: Claim;
  readonly source: Source;
  /** Functions whose key has no artifact yet. */
  readonly missing: readonly PlannedFunction[];
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly tell: (event: FunctionEvent | LogEvent) => void;
};

/**
 * Build what has no artifact, a few at a time; every function is tried even when one failed, so that one
 * push shows all that is wrong with it. Throws BuildFailed with the reasons.
 */
export async function buildFunctions(work: BuildWork): Promise<void> {
  const waiting = [...work.missing];
  const failures: { readonly name: string; readonly reason: string }[] = [];
  await Promise.all(
    Array.from({ length: Math.min(work.concurrency, waiting.length) }, async () => {
      for (let planned = waiting.shift(); planned !== undefined; planned = waiting.shift()) {
        const reason = await buildOne(work, planned);
        if (reason !== undefined) failures.push({ name: planned.name, reason });
      }
    }),
  );
  if (failures.length > 0) throw new BuildFailed("failed", summarise(failures), failures);
}

/** The reason of a failure that belongs to the function, or `undefined`. */
async function buildOne(work: BuildWork, planned: PlannedFunction): Promise<string | undefined> {
  const { claim, gateway, source, signal, tell } = work;
  const started = performance.now();
  tell({ type: "function", name: planned.name, step: "building" });
  const response = await gateway.call(
    "buildshiprun",
    await source.packContext(claim.build, planned, signal),
    {
      headers: {
        "x-build-id": claim.build.id,
        "x-epoch": String(claim.epoch),
        "x-function": planned.name,
      },
      contentKey: planned.key,
      signal,
    },
  );
  const reason = await readBuildResult(response, (text) =>
    tell({ type: "log", name: planned.name, text }),
  );
  const ms = Math.round(performance.now() - started);
  if (reason === undefined) tell({ type: "function", name: planned.name, step: "built", ms });
  else tell({ type: "function", name: planned.name, step: "failed", ms, reason });
  return reason;
}

function summarise(
  failures: readonly { readonly name: string; readonly reason: string }[],
): string {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined) return `${first.name}: ${first.reason}`;
  return `${failures.map(({ name }) => name).join(", ")} failed to build; ${first?.name}: ${first?.reason}`;
}
