import type { Claim } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { GatewayClient } from "#sdk/gateway-client.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { BuildFailed, type FunctionFailure } from "./build-failed.ts";
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
 * push shows all that is wrong with it. Throws BuildFailed with the reasons, or what a later attempt may
 * mend; nothing is under way any more then.
 */
export async function buildFunctions(work: BuildWork): Promise<void> {
  const waiting = [...work.missing];
  const reasons = new Map<string, string>();
  const workers = Array.from({ length: Math.min(work.concurrency, waiting.length) }, buildNext);
  await Promise.allSettled(workers);
  await Promise.all(workers);

  const failures = work.missing.flatMap(({ name }) => {
    const reason = reasons.get(name);
    return reason === undefined ? [] : [{ name, reason }];
  });
  if (failures.length > 0) throw new BuildFailed("failed", summarise(failures), failures);

  async function buildNext(): Promise<void> {
    for (let planned = waiting.shift(); planned !== undefined; planned = waiting.shift()) {
      try {
        const reason = await buildOne(work, planned);
        if (reason !== undefined) reasons.set(planned.name, reason);
      } catch (error) {
        waiting.length = 0;
        throw error;
      }
    }
  }
}

/** The reason of a failure that belongs to the function, or `undefined`. */
async function buildOne(work: BuildWork, planned: PlannedFunction): Promise<string | undefined> {
  const { name } = planned;
  const started = performance.now();
  const tell = (how: Pick<FunctionEvent, "step" | "reason">) =>
    work.tell({ type: "function", name, ms: Math.round(performance.now() - started), ...how });
  work.tell({ type: "function", name, step: "building" });
  try {
    const reason = await sendContext(work, planned).catch(toReason);
    tell(reason === undefined ? { step: "built" } : { step: "failed", reason });
    return reason;
  } catch (error) {
    // Whoever waits sees the log of what broke off now: the build may end without another word of it.
    if (!work.signal.aborted) tell({ step: "failed", reason: BROKE_OFF });
    throw error;
  }
}

const BROKE_OFF =
  "the build broke off, which says nothing about the function; another attempt may follow";

/** Files that cannot be a build context are the function's own failure. */
function toReason(error: unknown): string {
  if (error instanceof BuildFailed) return error.message;
  throw error;
}

async function sendContext(work: BuildWork, planned: PlannedFunction): Promise<string | undefined> {
  const { claim, gateway, source, tell } = work;
  const { name } = planned;
  const done = new AbortController();
  const signal = AbortSignal.any([work.signal, done.signal]);
  try {
    const context = await source.packContext(claim.build, planned, signal);
    const response = await gateway.call("buildshiprun", context, {
      headers: {
        "x-build-id": claim.build.id,
        "x-epoch": String(claim.epoch),
        "x-function": name,
      },
      contentKey: planned.key,
      signal,
    });
    return await readBuildResult(response, (text) => tell({ type: "log", name, text }));
  } finally {
    // A context that nobody read to its end still holds a reader of the mirror.
    done.abort();
  }
}

function summarise(failures: readonly FunctionFailure[]): string {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined) return `${first.name}: ${first.reason}`;
  return `${failures.map(({ name }) => name).join(", ")} failed to build; ${first?.name}: ${first?.reason}`;
}
