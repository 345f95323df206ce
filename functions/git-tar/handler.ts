import { z } from "zod";
import type { Build, Claim } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Handler } from "#sdk/answer.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Job } from "#sdk/messages.ts";
import { holdLease } from "./hold-lease.ts";
import { type RunTools, runBuild } from "./run-build.ts";
import { SourceDown } from "./source-down.ts";

export type Tools = RunTools & {
  readonly ledger: Ledger;
  /** Who holds the leases this process takes, for people. */
  readonly worker: string;
  /** How long a claim lives without renewal, in milliseconds. */
  readonly leaseMs: number;
};

/** Pushes of a branch within this time of one another are in the same place of the queue, in milliseconds. */
const NEAR_MS = 1_000;

/**
 * Carry one build from `accepted` to a terminal state: head, fetch, plan, build all, switch, report.
 * Where a newer push superseded it before its turn, that one is carried instead. A job that finds nothing to
 * claim is done: somebody else has the build, or it has ended. What a later attempt may mend is answered
 * 5xx, and the claim given back.
 */
export function createHandler(tools: Tools): Handler {
  const { ledger, worker, leaseMs } = tools;

  return async function handleJob(request, log) {
    const { buildId } = parseJob(await request.text());
    const before = ledger.findBuild(buildId);
    const claim = ledger.claimBuild(buildId, worker, leaseMs) ?? claimSuccessor(before);
    if (claim === undefined) {
      logGivenUp(before, log);
      return Response.json({ claimed: false, build: buildId });
    }

    const { id, sha, branch } = claim.build;
    const buildLog = log.with({ build: id, sha, branch });
    const lease = holdLease(ledger, claim, leaseMs, request.signal);
    let isSourceDown = false;
    try {
      await runBuild(tools, claim, lease.signal, buildLog);
    } catch (error) {
      isSourceDown = error instanceof SourceDown;
      throwForLater(error);
    } finally {
      lease.stop();
      ledger.releaseClaim(claim, isSourceDown);
      await queueWaiting(claim, buildLog);
    }
    const state = ledger.findBuild(id)?.state;
    return Response.json({ claimed: true, build: id, state });
  };

  /**
   * A newer push has its predecessor's place in the queue: where that is long, pushes that come faster than it
   * moves would all be superseded before their turn. Within a moment of one another their own jobs are as near.
   */
  function claimSuccessor(before: Build | undefined): Claim | undefined {
    if (before?.state !== "superseded") return undefined;
    const newest = listWaiting(before).at(-1);
    if (newest === undefined || newest.acceptedAt - before.acceptedAt < NEAR_MS) return undefined;
    return ledger.claimBuild(newest.id, worker, leaseMs);
  }

  /** A claim too many ends the build, and nobody else would say so in the log. */
  function logGivenUp(before: Build | undefined, log: Log): void {
    if (before === undefined || before.endedAt !== undefined) return;
    const { id: build, sha, branch, state, reason } = ledger.findBuild(before.id) ?? before;
    if (state === "failed") log.error("build-ended", { build, sha, branch, state, reason });
  }

  /** A build of the branch that waited for this one starts now, not at the sweeper's next round. */
  async function queueWaiting({ build }: Claim, log: Log): Promise<void> {
    for (const { id, ownerId } of listWaiting(build)) {
      const job: Job = { v: 1, buildId: id, step: "run" };
      const headers = { "x-owner-id": ownerId };
      await tools.gateway
        .queue("git-tar", JSON.stringify(job), { headers })
        .catch((error: unknown) => log.warn("waiting-not-queued", { error: describe(error) }));
    }
  }

  /** Builds of the same branch that nobody works on, oldest first. */
  function listWaiting({ repositoryId, branch, id }: Build): readonly Build[] {
    return ledger
      .listUnleased()
      .filter(
        (build) =>
          build.repositoryId === repositoryId && build.branch === branch && build.id !== id,
      );
  }
}

const JOB = z.object({ v: z.literal(1), buildId: z.string(), step: z.literal("run") });

function parseJob(text: string): Pick<Job, "buildId"> {
  const body = toJson(text);
  const { v } = z.object({ v: z.unknown() }).safeParse(body).data ?? {};
  if (v !== undefined && v !== 1)
    throw new HttpError(
      503,
      "unknown-version",
      `Job version ${String(v)} is not known here; it is kept for a newer release.`,
    );
  const { success, data } = JOB.safeParse(body);
  if (success) return data;
  throw new HttpError(400, "bad-job", 'A job is {"v":1,"buildId":"…","step":"run"}.');
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Like any other value that is not a job.
    return undefined;
  }
}

/** The queue gives up on a job that is answered 4xx, but the build has no end yet. */
function throwForLater(error: unknown): never {
  if (!(error instanceof HttpError) || error.status >= 500) throw error;
  throw new HttpError(503, error.code, error.message, { cause: error.cause });
}
