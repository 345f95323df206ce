import { HttpError } from "#sdk/errors.ts";

/** When to try again, in Unix milliseconds; `never` when trying again cannot help. */
export type RetryDecision = { readonly retryAt: number } | "never";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10 * 60_000;
const LONGEST_ADVICE_MS = 2 * 3_600_000;
/** After about a day of trying, whatever the answer. */
const LAST_ATTEMPT = 150;

/**
 * What GitHub's answer says about trying again: 403, 429 and 5xx are over some time, as are time-outs and
 * broken connections; any other 4xx is for good (docs.github.com, "Best practices for using the REST API").
 */
export function decideRetry(error: unknown, attempts: number, now: number): RetryDecision {
  if (attempts >= LAST_ATTEMPT) return "never";
  const { status, headers } = readFailure(error);
  const passing = status === undefined || [401, 403, 408, 429].includes(status) || status >= 500;
  if (!passing) return "never";
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts, 20), LONGEST_PAUSE_MS);
  return { retryAt: now + (adviceMs(headers, now) ?? pause) };
}

type Failure = {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
};

/** Octokit's RequestError carries the response, unless none came: then its status is a made-up 500. */
function readFailure(error: unknown): Failure {
  if (error instanceof HttpError) return { status: error.status, headers: {} };
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number")
    return { status: undefined, headers: {} };
  const response = "response" in error ? error.response : undefined;
  return { status: error.status, headers: headersOf(response) };
}

function headersOf(response: unknown): Readonly<Record<string, unknown>> {
  if (typeof response !== "object" || response === null || !("headers" in response)) return {};
  const { headers } = response;
  return typeof headers === "object" && headers !== null ? { ...headers } : {};
}

/** `Retry-After` in seconds or as a date, else the reset of an exhausted rate limit. */
function adviceMs(headers: Failure["headers"], now: number): number | undefined {
  const retryAfter = headers["retry-after"];
  if (typeof retryAfter === "string") {
    const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - now;
    if (Number.isFinite(ms)) return clamp(ms);
  }
  const reset = headers["x-ratelimit-reset"];
  if (headers["x-ratelimit-remaining"] === "0" && typeof reset === "string" && /^\d+$/.test(reset))
    return clamp(Number(reset) * 1_000 - now);
  return undefined;
}

function clamp(ms: number): number {
  return Math.min(Math.max(ms, FIRST_PAUSE_MS), LONGEST_ADVICE_MS);
}
