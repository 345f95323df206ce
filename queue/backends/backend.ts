import type { Job, Processor, Queue, Worker, WorkerOptions } from "bullmq";
import type { LaneName, Settled } from "../stored-call.ts";

export type BackendKind = "redis" | "private-redis" | "embedded";

/** Job data is `unknown` until `parseStoredCall`: a newer version may have written it. */
export type CallJob = Job<unknown, Settled>;

/** What the room uses of BullMQ's Queue, whatever stores the jobs. */
export type JobQueue = Pick<
  Queue<unknown, Settled>,
  "add" | "getJob" | "getJobs" | "getJobCounts" | "obliterate" | "waitUntilReady" | "close"
>;

/** What the room uses of BullMQ's Worker. */
export type JobWorker = Pick<
  Worker,
  "run" | "cancelJob" | "cancelAllJobs" | "close" | "concurrency"
> & {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "stalled", listener: (jobId: string) => void): unknown;
  on(event: "drained", listener: () => void): unknown;
  on(event: "completed", listener: (job: CallJob) => void): unknown;
  on(event: "failed", listener: (job: CallJob | undefined) => void): unknown;
};

/** Where jobs are kept; each passes `queue.contract.ts`. */
export type Backend = {
  readonly kind: BackendKind;
  /** Why this one was chosen, for people. */
  readonly why: string;
  /** Nobody else works on this store: whatever is active when it is opened was a lost worker's. */
  readonly exclusive: boolean;
  openQueue(name: LaneName): JobQueue;
  openWorker(
    name: LaneName,
    processor: Processor<unknown, Settled>,
    options: Omit<WorkerOptions, "connection">,
  ): JobWorker;
  /** Close connections and end the server when it is ours. */
  close(): Promise<void>;
};

/** A store whose server is our own child process. */
export type PrivateBackend = Backend & {
  /** Process id of the server now. */
  pid(): number | undefined;
};
