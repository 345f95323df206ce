import type { CallJob, JobQueue } from "./backends/backend.ts";
import { listJobs } from "./list-jobs.ts";
import { createQuota } from "./quota.ts";
import type { QueueSettings } from "./settings.ts";
import { parseStoredCall, type QueueName, type StoredCall } from "./stored-call.ts";
import { createTurns, type Turns } from "./turns.ts";

const PAGE = 100;
/** Waiting calls are not counted anew more often than this. */
const RECOUNT_MS = 10_000;

/** What waits: whose turn is when, and how much of it is whose. */
export type Backlog = {
  readonly turns: Turns;
  /** Count a call that is being accepted; rejects with 429 when its owner has too much waiting. */
  reserve(call: StoredCall): Promise<void>;
  /** A call waits that was accepted before. */
  resume(job: CallJob): void;
  /** A call ended, or was not accepted after all. */
  release(call: StoredCall): void;
  ended(job: CallJob): void;
};

export type BacklogTools = {
  readonly name: QueueName;
  readonly jobs: JobQueue;
  readonly settings: QueueSettings;
  /** No other process runs calls of this queue. */
  readonly exclusive: boolean;
};

/** Learn the backlog from what an earlier process left in the store. Users' owners have limits, the platform none. */
export async function openBacklog({
  name,
  jobs,
  settings,
  exclusive,
}: BacklogTools): Promise<Backlog> {
  const turns = createTurns();
  const quota = createQuota(
    name === "pipeline"
      ? { calls: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
      : { calls: settings.ownerPendingCalls, bytes: settings.ownerPendingBytes },
  );
  let countedAt = Date.now();
  await count();

  return { turns, reserve, resume, release, ended };

  async function count(): Promise<void> {
    quota.reset();
    for (let start = 0; ; start += PAGE) {
      const states = ["waiting", "prioritized", "delayed", "active"] as const;
      const page = await listJobs(jobs, states, start, PAGE);
      for (const job of page) resume(job);
      if (page.length === 0) return;
    }
  }

  async function reserve(call: StoredCall): Promise<void> {
    try {
      quota.reserve(call.ownerId, call.bytes);
    } catch (error) {
      // Where other processes run calls too, ours does not see all of them end.
      if (exclusive || Date.now() - countedAt < RECOUNT_MS) throw error;
      countedAt = Date.now();
      await count();
      quota.reserve(call.ownerId, call.bytes);
    }
  }

  function resume(job: CallJob): void {
    const call = parseStoredCall(job.data);
    if (call === undefined) return;
    turns.restore(call.ownerId, job.priority ?? 0);
    quota.restore(call.ownerId, call.bytes);
  }

  function release(call: StoredCall): void {
    quota.release(call.ownerId, call.bytes);
  }

  function ended(job: CallJob): void {
    const call = parseStoredCall(job.data);
    if (call !== undefined) release(call);
  }
}
