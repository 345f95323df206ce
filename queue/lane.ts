import type { JobQueue, JobWorker } from "./backends/backend.ts";
import type { Backlog } from "./backlog.ts";
import type { QueueName } from "./stored-call.ts";

/** One of the two queues, with what waits in it and who runs it. */
export type Lane = {
  readonly name: QueueName;
  readonly jobs: JobQueue;
  readonly backlog: Backlog;
  /** Not there before `start`. */
  worker?: JobWorker;
};
