import { z } from "zod";
import { describe, HttpError } from "#sdk/errors.ts";
import { FetchError } from "./fetch-error.ts";

/** The source cannot be asked now. That says nothing about the build, so the attempt does not count. */
export class SourceDown extends HttpError {
  constructor(cause: unknown) {
    super(503, "source-down", `The source cannot be asked now: ${describe(cause)}`, { cause });
  }
}

/** An answer of the source's API, as octokit throws it. */
const REFUSAL = z.object({
  status: z.number(),
  response: z.object({ headers: z.record(z.string(), z.unknown()) }).optional(),
});

/** Whether an error is the source's own and passing: down, slow, or asking for patience. */
export function isSourceDown(error: unknown): boolean {
  if (error instanceof FetchError)
    return error.failure === "unreachable" || error.failure === "timed-out";
  const refusal = REFUSAL.safeParse(error).data;
  // Without a status nobody answered: fetch throws TypeError, a time-out a DOMException.
  if (refusal === undefined)
    return (
      error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError")
    );
  if (refusal.status === 429 || refusal.status >= 500) return true;
  const headers = refusal.response?.headers ?? {};
  const isLimited = "retry-after" in headers || headers["x-ratelimit-remaining"] === "0";
  return refusal.status === 403 && isLimited;
}
