import type { Processor } from "bullmq";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Backend, JobQueue, JobWorker } from "./backends/backend.ts";
import type { Backlog } from "./backlog.ts";
import { decideWait } from "./decide-outcome.ts";
import { RetryLater } from "./put-back.ts";
import type { QueueSettings } from "./settings.ts";
import type { LaneName, Settled } from "./stored-call.ts";
import { createSeldomWarning } from "./warn-seldom.ts";

/** Ended calls kept of each queue. */
const DONE_LIMIT = 10_000;
const DEAD_LIMIT = 1_000;
/** How soon a worker asks a store again that is away. */
const STORE_RETRY_MS = 250;
/** Nobody takes calls over on a store of our own: locks only need to outlast a busy moment. */
const OWN_LOCK_MS = 60_000;
/** More often than anything happens, and still a Postgres integer. */
const NEVER = 1_000_000_000;
/** BullMQ's word for "whoever holds the lock". */
const ANY_TOKEN = "0";

export type WorkerTools = {
  readonly name: LaneName;
  readonly backend: Backend;
  readonly jobs: JobQueue;
  readonly backlog: Backlog;
  readonly settings: QueueSettings;
  readonly processor: Processor<unknown, Settled>;
  readonly log: Log;
};

/** Begin to run the jobs of one queue, those first that a killed process was running. */
export async function startWorker(tools: WorkerTools): Promise<JobWorker> {
  const { name, backend, jobs, backlog, settings, processor } = tools;
  const log = tools.log.with({ queue: name });
  if (backend.exclusive) await putBackLost(jobs, log);
  const worker = backend.openWorker(name, processor, workerOptions(name, backend, settings));
  const warn = createSeldomWarning(log, "queue-worker-failed");
  worker.on("error", (error) => warn(describe(error)));
  worker.on("stalled", (job) => log.warn("call-lost", { job, next: "it runs again" }));
  worker.on("drained", backlog.turns.reset);
  worker.on("completed", backlog.ended);
  worker.on("failed", (job) => job?.finishedOn !== undefined && backlog.ended(job));
  return worker;
}

/** On a store of our own there is no need to wait until the locks of a killed process expire. */
async function putBackLost(jobs: JobQueue, log: Log): Promise<void> {
  for (const job of await jobs.getJobs(["active"])) {
    await job.moveToWait(ANY_TOKEN);
    log.warn("call-lost", { job: job.id, next: "it runs again" });
  }
}

function workerOptions(name: LaneName, { exclusive }: Backend, settings: QueueSettings) {
  return {
    concurrency: settings[name].concurrency,
    lockDuration: exclusive ? OWN_LOCK_MS : settings.lockMs,
    stalledInterval: settings.stalledCheckMs,
    // A worker that dies is not the call's fault: it never counts against the call.
    maxStalledCount: NEVER,
    runRetryDelay: STORE_RETRY_MS,
    // Nobody asks for a callback that was told.
    removeOnComplete:
      name === "callbacks" ? { count: 0 } : { age: settings.keepDoneMs / 1_000, count: DONE_LIMIT },
    removeOnFail: { age: settings.keepDeadMs / 1_000, count: DEAD_LIMIT },
    settings: {
      backoffStrategy: (attemptsMade: number, _type?: string, error?: Error) =>
        error instanceof RetryLater ? error.waitMs : decideWait(attemptsMade, 0, settings[name]),
    },
  };
}
