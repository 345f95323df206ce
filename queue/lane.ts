import type { JobQueue, JobWorker } from "./backends/backend.ts";
import type { Backlog } from "./backlog.ts";
import type { LaneName } from "./stored-call.ts";

/** One of the queues, with what waits in it and who runs it. */
export type Lane = {
  readonly name: LaneName;
  readonly jobs: JobQueue;
  readonly backlog: Backlog;
  /** Not there before `start`. */
  worker?: JobWorker;
};
