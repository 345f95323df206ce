import { DelayedError, UnrecoverableError, WaitingError } from "bullmq";
import type { Log } from "#sdk/log.ts";
import type { CallJob } from "./backends/backend.ts";

/** What a newer version stored is looked at again after this long. */
const UNKNOWN_VERSION_WAIT_MS = 30_000;

/** Why a running job is aborted. */
export const CLOSING = "closing";
export const CANCELLED = "cancelled";

/** A failed attempt that asks for another one, `waitMs` from now. */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly waitMs: number;
  constructor(reason: string, waitMs: number) {
    super(reason);
    this.waitMs = waitMs;
  }
}

/** Leave a job to the newer program that stored it. */
export async function postpone(job: CallJob, token: string | undefined, log: Log): Promise<never> {
  log.warn("call-postponed", { job: job.id, reason: "its stored version is not known here" });
  await job.moveToDelayed(Date.now() + UNKNOWN_VERSION_WAIT_MS, token);
  throw new DelayedError();
}

/** An aborted job: put back when the platform stops, ended when somebody cancelled it. */
export async function giveBack(
  job: CallJob,
  token: string | undefined,
  reason: unknown,
): Promise<never> {
  if (reason !== CLOSING) throw new UnrecoverableError(CANCELLED);
  await job.moveToWait(token);
  throw new WaitingError();
}

/** End a job for good, with the reason for people. */
export async function bury(job: CallJob, reason: string, status: number): Promise<never> {
  await job.updateProgress({ status, error: reason });
  throw new UnrecoverableError(reason);
}
