import type { CallJob, JobQueue } from "./backends/backend.ts";
import { listJobs } from "./list-jobs.ts";
import { type LaneName, parseStoredCall } from "./stored-call.ts";
import { parseStoredCallback } from "./stored-callback.ts";

/** One call as an operator sees it; never its headers or body. */
type CallReport = {
  readonly callId: string;
  readonly function: string;
  readonly ownerId: string;
  readonly attempts: number;
  /** Of the last failed attempt; empty when none failed. */
  readonly lastError: string;
  /** Status of the last failed attempt; 0 when the function was not reached or none failed. */
  readonly lastStatus: number;
  /** Since it was accepted. */
  readonly ageMs: number;
};

export type QueueReport = {
  readonly queue: LaneName;
  /** All calls of each state; the lists below hold the first of them. */
  readonly counts: {
    readonly waiting: number;
    readonly active: number;
    readonly delayed: number;
    readonly dead: number;
  };
  readonly waiting: readonly CallReport[];
  readonly active: readonly CallReport[];
  /** Failed at least once, or stored by a newer version, and to be tried again. */
  readonly delayed: readonly CallReport[];
  readonly dead: readonly CallReport[];
};

/** The first `limit` calls of each state, in the order in which they run or ended. */
export async function inspectQueue(
  queue: LaneName,
  jobs: JobQueue,
  limit: number,
  now = Date.now(),
): Promise<QueueReport> {
  const list = async (state: "prioritized" | "waiting" | "active" | "delayed" | "failed") =>
    (await listJobs(jobs, [state], 0, limit)).map((job) => reportCall(job, now));
  const [prioritized, waiting, active, delayed, dead] = await Promise.all([
    list("prioritized"),
    list("waiting"),
    list("active"),
    list("delayed"),
    list("failed"),
  ]);
  const counted = await jobs.getJobCounts("prioritized", "waiting", "active", "delayed", "failed");
  const count = (state: string) => counted[state] ?? 0;
  return {
    queue,
    counts: {
      waiting: count("waiting") + count("prioritized"),
      active: count("active"),
      delayed: count("delayed"),
      dead: count("failed"),
    },
    waiting: [...waiting, ...prioritized],
    active,
    delayed,
    dead,
  };
}

function reportCall(job: CallJob, now: number): CallReport {
  const call = parseStoredCall(job.data) ?? parseStoredCallback(job.data);
  return {
    callId: call?.callId ?? job.id ?? "",
    function: job.name,
    ownerId: call?.ownerId ?? "",
    attempts: job.attemptsMade,
    lastError: lastFailure(job).error,
    lastStatus: lastFailure(job).status,
    ageMs: now - (call?.acceptedAt ?? job.timestamp),
  };
}

/** Status and reason of a job's last failed attempt; 0 and empty when there is none. */
export function lastFailure(job: CallJob): { readonly status: number; readonly error: string } {
  const { progress } = job;
  const noted =
    typeof progress === "object" && "status" in progress && typeof progress.status === "number"
      ? progress.status
      : 0;
  const error =
    typeof progress === "object" && "error" in progress && typeof progress.error === "string"
      ? progress.error
      : "";
  return { status: noted, error: job.failedReason ?? error };
}
