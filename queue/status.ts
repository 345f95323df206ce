import type { CallJob } from "./backends/backend.ts";
import { lastFailure } from "./inspect.ts";

/** `failed` is an attempt that failed and will be made again; `dead` will not. */
export type CallState = "waiting" | "active" | "done" | "failed" | "dead";

export type CallStatus = {
  readonly callId: string;
  readonly state: CallState;
  /** Attempts that ended. */
  readonly attempts: number;
  /** Of the last attempt that ended; 0 when none did or the function was not reached. */
  readonly lastStatus: number;
  readonly lastError: string;
};

/** What `GET /async-status/<call-id>` tells about a job. */
export async function readStatus(callId: string, job: CallJob): Promise<CallStatus> {
  const { status, error } = lastFailure(job);
  const state = toCallState(await job.getState(), job.attemptsMade);
  return {
    callId,
    state,
    attempts: job.attemptsMade,
    lastStatus: state === "done" ? (job.returnvalue?.status ?? 0) : status,
    lastError: state === "done" ? "" : error,
  };
}

function toCallState(state: string, attempts: number): CallState {
  if (state === "completed") return "done";
  if (state === "failed") return "dead";
  if (state === "active") return "active";
  return attempts > 0 ? "failed" : "waiting";
}
