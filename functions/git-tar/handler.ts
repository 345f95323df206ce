import type { Claim, Ledger } from "#ledger/types.ts";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import type { Job } from "#sdk/messages.ts";
import { holdLease } from "./hold-lease.ts";
import { type RunTools, runBuild } from "./run-build.ts";

export type Tools = RunTools & {
  readonly ledger: Ledger;
  /** Who holds the leases this process takes, for people. */
  readonly worker: string;
  /** How long a claim lives without renewal, in milliseconds. */
  readonly leaseMs: number;
};

/**
 * Carry one build from `accepted` to a terminal state: head, fetch, plan, build all, switch, report.
 * A job that finds nothing to claim is done: somebody else has the build, or it has ended.
 */
export function createHandler(tools: Tools): Handler {
  const { ledger, worker, leaseMs } = tools;

  return async function handleJob(request, log) {
    const { buildId } = parseJob(await request.json());
    const claim = ledger.claimBuild(buildId, worker, leaseMs);
    if (claim === undefined) return Response.json({ claimed: false, build: buildId });

    const buildLog = log.with({ build: buildId, sha: claim.build.sha, branch: claim.build.branch });
    const lease = holdLease(ledger, claim, leaseMs, request.signal);
    try {
      await runBuild(tools, claim, lease.signal, buildLog);
    } finally {
      lease.stop();
      ledger.releaseClaim(claim);
      await queueWaiting(claim);
    }
    return Response.json({
      claimed: true,
      build: buildId,
      state: ledger.findBuild(buildId)?.state,
    });
  };

  /** A build of the branch that waited for this one starts now, not at the sweeper's next round. */
  async function queueWaiting({ build }: Claim): Promise<void> {
    const waiting = ledger
      .listUnleased()
      .filter(
        ({ repositoryId, branch, id }) =>
          repositoryId === build.repositoryId && branch === build.branch && id !== build.id,
      );
    for (const { id, ownerId } of waiting) {
      const job: Job = { v: 1, buildId: id, step: "run" };
      await tools.gateway.queue("git-tar", JSON.stringify(job), {
        headers: { "x-owner-id": ownerId },
      });
    }
  }
}

function parseJob(body: unknown): Job {
  const job = body as Partial<Job> | null;
  if (job?.v !== 1)
    throw new HttpError(
      503,
      "unknown-version",
      `Job version ${String(job?.v)} is not known here; it is kept for a newer release.`,
    );
  if (typeof job.buildId !== "string" || job.step !== "run") {
    throw new HttpError(400, "bad-job", 'A job is {"v":1,"buildId":"…","step":"run"}.');
  }
  return { v: 1, buildId: job.buildId, step: job.step };
}
