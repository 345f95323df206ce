import { setTimeout as wait } from "node:timers/promises";
import type { Handler } from "#sdk/answer.ts";
import { describe, HttpError } from "#sdk/errors.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import type { Backend, BackendKind, CallJob, JobQueue, JobWorker } from "./backends/backend.ts";
import { chooseBackend } from "./backends/choose.ts";
import { createCallbacks } from "./callback.ts";
import { decideWait } from "./decide-outcome.ts";
import { createHandler } from "./handler.ts";
import { inspectQueue, type QueueReport } from "./inspect.ts";
import { createInvoker } from "./invoke.ts";
import { CANCELLED, CLOSING, createProcessor, RetryLater } from "./process-call.ts";
import { createQuota } from "./quota.ts";
import type { QueueSettings } from "./settings.ts";
import {
  jobIdOf,
  parseStoredCall,
  QUEUE_NAMES,
  type QueueName,
  type StoredCall,
} from "./stored-call.ts";
import { createTurns } from "./turns.ts";

/** Calls of each state that `inspect` lists. */
const INSPECT_LIMIT = 100;
/** Dead letters kept of each queue. */
const DEAD_LIMIT = 1_000;
const PAGE = 100;
/** How long putting back the calls of a closing worker may take. */
const PUT_BACK_MS = 2_000;
/** Waiting calls are not counted anew more often than this. */
const RECOUNT_MS = 10_000;
/** BullMQ's word for "whoever holds the lock". */
const ANY_TOKEN = "0";
/** More often than anything happens, and still a Postgres integer. */
const NEVER = 1_000_000_000;

export type QueueTools = {
  /** The store of a private backend is in `<dataFolder>/queue`. */
  readonly dataFolder: string;
  /** For sockets and pid files. */
  readonly runFolder: string;
  readonly redisUrl?: string | undefined;
  /** Where `redis-server` is looked for: a PATH. */
  readonly path?: string | undefined;
  /** `http://…` or `unix:/path`. */
  readonly gatewayUrl: string;
  readonly payloadKey: PayloadKey;
  readonly settings: QueueSettings;
  readonly log: Log;
  /** Whether a users' function is deployed; without it calls of any name are taken. */
  readonly exists?: (name: string) => Promise<boolean>;
  /** Use this store instead of choosing one. */
  readonly backend?: Backend;
};

export type Queue = {
  readonly kind: BackendKind;
  readonly why: string;
  /** What `queue.sock` serves. */
  readonly handler: Handler;
  /** Begin to run calls. */
  start(): Promise<void>;
  inspect(): Promise<QueueReport[]>;
  /** Run a dead letter again, with all its attempts; false when there is none of that call id. */
  retryDead(callId: string): Promise<boolean>;
  removeDead(callId: string): Promise<boolean>;
  /** Stop a users' call, waiting or running; false when there is none. */
  cancel(callId: string): Promise<boolean>;
  /** Take nothing new, let running calls end for `drainMs`, put back what is left. */
  close(drainMs: number): Promise<void>;
};

/** Open the store and the two queues; nothing runs before `start`. */
export async function openQueue(tools: QueueTools): Promise<Queue> {
  const { settings, log } = tools;
  const backend = tools.backend ?? (await chooseBackend(tools));
  const queues = {
    pipeline: backend.openQueue("pipeline"),
    invocations: backend.openQueue("invocations"),
  };
  const turns = { pipeline: createTurns(), invocations: createTurns() };
  const quota = createQuota({
    calls: settings.ownerPendingCalls,
    bytes: settings.ownerPendingBytes,
  });
  const invoker = createInvoker(tools.gatewayUrl, tools.payloadKey);
  const callbacks = createCallbacks({
    allowPrivate: settings.callbackPrivate,
    timeoutMs: settings.callbackTimeoutMs,
  });
  let countedAt = Date.now();
  const workers = new Map<QueueName, JobWorker>();
  for (const name of QUEUE_NAMES) await restore(name);

  return {
    kind: backend.kind,
    why: backend.why,
    handler: createHandler({
      settings,
      queues,
      turns,
      exists: tools.exists,
      reserve,
      release,
      cancel,
    }),

    async start() {
      for (const name of QUEUE_NAMES) {
        if (backend.exclusive) await putBackLost(name);
        workers.set(name, startWorker(name));
      }
    },

    inspect: () =>
      Promise.all(QUEUE_NAMES.map((name) => inspectQueue(name, queues[name], INSPECT_LIMIT))),

    async retryDead(callId) {
      const job = await findDead(callId);
      await job?.retry("failed", { resetAttemptsMade: true });
      return job !== undefined;
    },

    async removeDead(callId) {
      const job = await findDead(callId);
      await job?.remove();
      return job !== undefined;
    },

    cancel,

    async close(drainMs) {
      await Promise.all([...workers.values()].map((worker) => drain(worker, drainMs)));
      await Promise.all(QUEUE_NAMES.map((name) => queues[name].close()));
      await Promise.all([invoker.close(), callbacks.close()]);
      await backend.close();
    },
  };

  /** Learn whose turn is when, and who has how much waiting, from what an earlier process left. */
  async function restore(name: QueueName): Promise<void> {
    for await (const job of pendingJobs(queues[name])) {
      const call = parseStoredCall(job.data);
      if (call === undefined) continue;
      turns[name].restore(call.ownerId, job.priority ?? 0);
      if (name === "invocations") quota.restore(call.ownerId, call.bytes);
    }
  }

  /** Calls that a killed process was making run again at once, not when their locks expire. */
  async function putBackLost(name: QueueName): Promise<void> {
    for (const job of await queues[name].getJobs(["active"])) {
      await job.moveToWait(ANY_TOKEN);
      log.warn("call-lost", { queue: name, job: job.id, next: "it runs again" });
    }
  }

  function startWorker(name: QueueName): JobWorker {
    const queueLog = log.with({ queue: name });
    const process = createProcessor({
      queue: name,
      settings: settings[name],
      callbackBodyLimitBytes: settings.callbackBodyLimitBytes,
      invoker,
      callbacks,
      began: (turn) => turns[name].begin(turn),
      log: queueLog,
    });
    const worker = backend.openWorker(name, process, workerOptions(name));
    worker.on("error", (error) => queueLog.warn("queue-worker-failed", { error: describe(error) }));
    worker.on("stalled", (job) => queueLog.warn("call-lost", { job, next: "it runs again" }));
    worker.on("drained", () => turns[name].reset());
    worker.on("completed", (job) => ended(name, job));
    worker.on("failed", (job) => job?.finishedOn !== undefined && ended(name, job));
    return worker;
  }

  function workerOptions(name: QueueName) {
    return {
      concurrency: settings[name].concurrency,
      lockDuration: settings.lockMs,
      stalledInterval: settings.stalledCheckMs,
      // A worker that dies is not the call's fault: it never counts against the call.
      maxStalledCount: NEVER,
      runRetryDelay: 250,
      removeOnComplete: { age: settings.keepDoneMs / 1_000, count: 10_000 },
      removeOnFail: { age: settings.keepDeadMs / 1_000, count: DEAD_LIMIT },
      settings: {
        backoffStrategy: (attemptsMade: number, _type?: string, error?: Error) =>
          decideWait(attemptsMade, error instanceof RetryLater ? error.waitMs : 0, settings[name]),
      },
    };
  }

  async function reserve(call: StoredCall): Promise<void> {
    try {
      quota.reserve(call.ownerId, call.bytes);
    } catch (error) {
      // Where other processes run calls too, ours does not see all of them end.
      if (backend.exclusive || Date.now() - countedAt < RECOUNT_MS) throw error;
      countedAt = Date.now();
      quota.reset();
      await restore("invocations");
      quota.reserve(call.ownerId, call.bytes);
    }
  }

  function release(call: StoredCall): void {
    quota.release(call.ownerId, call.bytes);
  }

  function ended(name: QueueName, job: CallJob): void {
    const call = parseStoredCall(job.data);
    if (call !== undefined && name === "invocations") release(call);
  }

  async function findDead(callId: string): Promise<CallJob | undefined> {
    for (const name of QUEUE_NAMES) {
      const job = await queues[name].getJob(jobIdOf(callId));
      if (job !== undefined && (await job.isFailed())) return job;
    }
    return undefined;
  }

  async function cancel(callId: string): Promise<boolean> {
    const jobId = jobIdOf(callId);
    const job = await queues.invocations.getJob(jobId);
    if (job === undefined || (await job.isCompleted()) || (await job.isFailed())) return false;
    if (workers.get("invocations")?.cancelJob(jobId, CANCELLED) === true) return true;
    if (await job.isActive())
      throw new HttpError(409, "call-runs-elsewhere", "Another worker runs this call; ask there.");
    await job.remove();
    ended("invocations", job);
    log.info("call-cancelled", { call_id: callId, function: job.name });
    return true;
  }
}

async function* pendingJobs(queue: JobQueue): AsyncIterable<CallJob> {
  for (let start = 0; ; start += PAGE) {
    const page = await queue.getJobs(
      ["prioritized", "delayed", "active"],
      start,
      start + PAGE - 1,
      true,
    );
    yield* page;
    if (page.length === 0) return;
  }
}

/** Calls still running after `drainMs` are aborted and put back without counting an attempt. */
async function drain(worker: JobWorker, drainMs: number): Promise<void> {
  const cut = setTimeout(() => worker.cancelAllJobs(CLOSING), drainMs);
  const late = new AbortController();
  // A store that is gone takes nothing back: the calls are found active at the next start.
  await Promise.race([
    worker.close(),
    wait(drainMs + PUT_BACK_MS, undefined, { signal: late.signal }).catch(() => {}),
  ]);
  late.abort();
  clearTimeout(cut);
}
