import { setTimeout as wait } from "node:timers/promises";
import type { Handler } from "#sdk/answer.ts";
import { HttpError } from "#sdk/errors.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";
import type { Log } from "#sdk/log.ts";
import type { Backend, BackendKind, CallJob, JobWorker } from "./backends/backend.ts";
import { chooseBackend } from "./backends/choose.ts";
import { openBacklog } from "./backlog.ts";
import { createCallbackSender } from "./callback.ts";
import { addCallback, createTeller } from "./callback-lane.ts";
import { createEntrance } from "./entrance.ts";
import { createHandler, type FindFunction } from "./handler.ts";
import { inspectQueue, type QueueReport } from "./inspect.ts";
import { createInvoker } from "./invoke.ts";
import type { Lane } from "./lane.ts";
import { createProcessor } from "./process-call.ts";
import { CANCELLED, CLOSING } from "./put-back.ts";
import type { QuotaLimits } from "./quota.ts";
import type { QueueSettings } from "./settings.ts";
import { startWorker } from "./start-worker.ts";
import { jobIdOf, LANE_NAMES, type LaneName, type QueueName } from "./stored-call.ts";
import { callbackJobId } from "./stored-callback.ts";

/** Calls of each state that `inspect` lists, with their bodies in memory for a moment. */
const INSPECT_LIMIT = 100;
/** How long putting back the calls of a closing worker may take. */
const PUT_BACK_MS = 2_000;

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
  /** A users' function, if it is deployed; without it calls of any name are taken. */
  readonly find?: FindFunction;
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
  /**
   * Take nothing new, let running calls end for `drainMs`, put back what is left; at most 2 s later it is done.
   * With a store that is gone BullMQ keeps a timer: end the process then.
   */
  close(drainMs: number): Promise<void>;
};

/** Open the store and the two queues; nothing runs before `start`. */
export async function openQueue(tools: QueueTools): Promise<Queue> {
  const { settings, log } = tools;
  const backend = tools.backend ?? (await chooseBackend(tools));
  const invoker = createInvoker(tools.gatewayUrl, tools.payloadKey);
  const sender = createCallbackSender({
    allowPrivate: settings.callbackPrivate,
    timeoutMs: settings.callbackTimeoutMs,
  });
  const lanes = {
    pipeline: await openLane("pipeline"),
    invocations: await openLane("invocations"),
    callbacks: await openLane("callbacks"),
  };
  const all = LANE_NAMES.map((name) => lanes[name]);
  const entrance = createEntrance();

  return {
    kind: backend.kind,
    why: backend.why,
    handler: createHandler({
      settings,
      lanes,
      find: tools.find,
      cancel,
      accepted: (queue) => queue === "pipeline" && entrance.arrived(),
    }),

    async start() {
      for (const lane of all) {
        const processor = lane.name === "callbacks" ? tellerOf(lane) : callerOf(lane.name, lane);
        lane.worker = await startWorker({ ...lane, backend, settings, processor, log });
      }
    },

    inspect: () =>
      Promise.all(all.map(({ name, jobs }) => inspectQueue(name, jobs, INSPECT_LIMIT))),

    async retryDead(callId) {
      const { lane, job } = (await findDead(callId)) ?? {};
      await job?.retry("failed", { resetAttemptsMade: true });
      if (job !== undefined) lane?.backlog.resume(job);
      return job !== undefined;
    },

    async removeDead(callId) {
      const { job } = (await findDead(callId)) ?? {};
      await job?.remove();
      return job !== undefined;
    },

    cancel,

    async close(drainMs) {
      await Promise.all(all.map(({ worker }) => worker && drain(worker, drainMs)));
      await Promise.all(all.map(({ jobs }) => jobs.close()));
      invoker.close();
      sender.close();
      await backend.close();
    },
  };

  async function openLane(name: LaneName): Promise<Lane> {
    const jobs = backend.openQueue(name);
    const { exclusive } = backend;
    const what = name === "callbacks" ? "callbacks" : "calls";
    const limits = limitsOf(name, settings);
    return { name, jobs, backlog: await openBacklog({ jobs, limits, what, exclusive }) };
  }

  function callerOf(queue: QueueName, { backlog }: Lane) {
    return createProcessor({
      queue,
      settings: settings[queue],
      callbackBodyLimitBytes: settings.callbackBodyLimitBytes,
      invoker,
      addCallback: (...news) => addCallback(lanes.callbacks, settings, ...news),
      // Users' functions run in processes of their own; the pipeline runs in this one.
      ...(queue === "pipeline" && { entrance }),
      began: backlog.turns.begin,
      log: log.with({ queue }),
    });
  }

  function tellerOf({ name, backlog }: Lane) {
    const began = backlog.turns.begin;
    return createTeller({ settings, sender, began, log: log.with({ queue: name }) });
  }

  /** A dead call, or the dead callback of one. */
  async function findDead(callId: string): Promise<{ lane: Lane; job: CallJob } | undefined> {
    for (const lane of all) {
      const id = lane.name === "callbacks" ? callbackJobId(callId) : jobIdOf(callId);
      const job = await lane.jobs.getJob(id);
      if (job !== undefined && (await job.isFailed())) return { lane, job };
    }
    return undefined;
  }

  async function cancel(callId: string): Promise<boolean> {
    const { jobs, worker, backlog } = lanes.invocations;
    const jobId = jobIdOf(callId);
    const job = await jobs.getJob(jobId);
    if (job === undefined || (await job.isCompleted()) || (await job.isFailed())) return false;
    if (worker?.cancelJob(jobId, CANCELLED) === true) return true;
    if (await job.isActive())
      throw new HttpError(409, "call-runs-elsewhere", "Another worker runs this call; ask there.");
    await job.remove();
    backlog.ended(job);
    log.info("call-cancelled", { call_id: callId, function: job.name });
    return true;
  }
}

/** Users' owners have limits, the platform none. */
function limitsOf(name: LaneName, settings: QueueSettings): QuotaLimits {
  return name === "pipeline"
    ? { calls: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }
    : { calls: settings.ownerPendingCalls, bytes: settings.ownerPendingBytes };
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
