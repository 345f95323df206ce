import type { CallJob, JobQueue } from "./backends/backend.ts";

type JobState = "waiting" | "prioritized" | "delayed" | "active" | "failed";

/** Up to `count` jobs of each state from position `start`, in the order in which they run or ended. */
export async function listJobs(
  jobs: JobQueue,
  states: readonly JobState[],
  start: number,
  count: number,
): Promise<CallJob[]> {
  const found: (CallJob | undefined)[] = await jobs.getJobs(
    [...states],
    start,
    start + count - 1,
    true,
  );
  // A job that ends while the list is read leaves a hole in it.
  return found.filter((job) => job !== undefined);
}
