import type { Job, Processor, Queue, Worker, WorkerOptions } from "bullmq";
import type { QueueName, Settled } from "../stored-call.ts";

export type BackendKind = "redis" | "private-redis" | "embedded";

/** Job data is `unknown` until `parseStoredCall`: a newer version may have written it. */
export type CallJob = Job<unknown, Settled>;

/** What the room uses of BullMQ's Queue, whatever stores the jobs. */
export type JobQueue = Pick<
  Queue<unknown, Settled>,
  "add" | "getJob" | "getJobs" | "waitUntilReady" | "close"
>;

/** What the room uses of BullMQ's Worker. */
export type JobWorker = Pick<
  Worker<unknown, Settled>,
  "on" | "run" | "cancelJob" | "cancelAllJobs" | "close"
>;

/** Where jobs are kept; each passes `queue.contract.ts`. */
export type Backend = {
  readonly kind: BackendKind;
  /** Why this one was chosen, for people. */
  readonly why: string;
  openQueue(name: QueueName): JobQueue;
  openWorker(
    name: QueueName,
    processor: Processor<unknown, Settled>,
    options: Omit<WorkerOptions, "connection">,
  ): JobWorker;
  /**
   * Take the locks from calls that a lost worker of this store held, so that they run again at once. Does
   * nothing where other workers may live.
   */
  releaseLocks(name: QueueName): Promise<void>;
  /** Close connections and end the server when it is ours. */
  close(): Promise<void>;
};
