import type { CallJob, JobQueue } from "./backends/backend.ts";
import { listJobs } from "./list-jobs.ts";
import { createQuota, type QuotaLimits } from "./quota.ts";
import { parseStoredCall } from "./stored-call.ts";
import { parseStoredCallback } from "./stored-callback.ts";
import { createTurns, type Turns } from "./turns.ts";

const PAGE = 100;
/** What waits is not counted anew more often than this. */
const RECOUNT_MS = 10_000;

/** What a stored job takes of its owner's room. */
type Held = { readonly ownerId: string; readonly bytes: number };

/** What waits: whose turn is when, and how much of it is whose. */
export type Backlog = {
  readonly turns: Turns;
  /** Count what is being accepted; rejects with 429 when its owner has too much waiting. */
  reserve(held: Held): Promise<void>;
  /** Rejects with 429 where `reserve` would. */
  require(held: Held): Promise<void>;
  hasRoom(held: Held): boolean;
  /** Count it whatever the limits say. */
  hold(held: Held): void;
  /** A job waits that was accepted before. */
  resume(job: CallJob): void;
  /** Something ended, or was not accepted after all. */
  release(held: Held): void;
  ended(job: CallJob): void;
};

export type BacklogTools = {
  readonly jobs: JobQueue;
  /** Of one owner. */
  readonly limits: QuotaLimits;
  /** What waits, for refusals: `calls`. */
  readonly what: string;
  /** No other process runs jobs of this queue. */
  readonly exclusive: boolean;
};

/** Learn the backlog from what an earlier process left in the store. */
export async function openBacklog({
  jobs,
  limits,
  what,
  exclusive,
}: BacklogTools): Promise<Backlog> {
  const turns = createTurns();
  const quota = createQuota(limits, what);
  let countedAt = Date.now();
  await count();

  return {
    turns,
    reserve: ({ ownerId, bytes }) => counted(() => quota.reserve(ownerId, bytes)),
    require: ({ ownerId, bytes }) => counted(() => quota.require(ownerId, bytes)),
    hasRoom: ({ ownerId, bytes }) => quota.hasRoom(ownerId, bytes),
    hold: ({ ownerId, bytes }) => quota.restore(ownerId, bytes),
    resume,
    release,
    ended(job) {
      const held = heldBy(job);
      if (held !== undefined) release(held);
    },
  };

  async function count(): Promise<void> {
    quota.reset();
    for (let start = 0; ; start += PAGE) {
      const states = ["waiting", "prioritized", "delayed", "active"] as const;
      const page = await listJobs(jobs, states, start, PAGE);
      for (const job of page) resume(job);
      if (page.length === 0) return;
    }
  }

  async function counted(act: () => void): Promise<void> {
    try {
      act();
    } catch (error) {
      // Where other processes run jobs too, ours does not see all of them end.
      if (exclusive || Date.now() - countedAt < RECOUNT_MS) throw error;
      countedAt = Date.now();
      await count();
      act();
    }
  }

  function resume(job: CallJob): void {
    const held = heldBy(job);
    if (held === undefined) return;
    turns.restore(held.ownerId, job.priority ?? 0);
    quota.restore(held.ownerId, held.bytes);
  }

  function release({ ownerId, bytes }: Held): void {
    quota.release(ownerId, bytes);
  }
}

function heldBy({ data }: CallJob): Held | undefined {
  return parseStoredCall(data) ?? parseStoredCallback(data);
}
