import { z } from "zod";
import { parseDuration } from "#sdk/duration.ts";

export const retryPolicy = z.object({
  /** The first one included. */
  attempts: z.number(),
  /** Wait before the second attempt; doubles up to `maxDelayMs`. */
  firstDelayMs: z.number(),
  maxDelayMs: z.number(),
  /** Statuses that are tried again, in place of 408, 429 and 5xx. */
  codes: z.array(z.number()).optional(),
});
/** How often and how soon a call is made again. */
export type RetryPolicy = Readonly<z.infer<typeof retryPolicy>>;

const PREFIX = "com.openfaas.retry.";
const ATTEMPTS_LIMIT = 100;
const CODES_LIMIT = 50;
const WAIT_LIMIT_MS = 24 * 3_600_000;

/**
 * What a function's annotations ask for, or `undefined`: `com.openfaas.retry.attempts`, `.codes` (`"429,503"`),
 * `.min_wait`, `.max_wait` (durations). Those that cannot be used are named with the reason, and the
 * platform's values hold in their place.
 */
export function readRetryPolicy(
  annotations: Readonly<Record<string, string>>,
  defaults: RetryPolicy,
): { readonly policy: RetryPolicy | undefined; readonly ignored: readonly string[] } {
  const ignored: string[] = [];
  const read = <T>(name: string, parse: (text: string) => T | undefined, expected: string) => {
    const text = annotations[`${PREFIX}${name}`];
    const value = text === undefined ? undefined : parse(text);
    if (text !== undefined && value === undefined)
      ignored.push(
        `${PREFIX}${name} is ${JSON.stringify(text.slice(0, 40))}; expected ${expected}`,
      );
    return value;
  };
  const attempts = read("attempts", parseAttempts, `a whole number from 1 to ${ATTEMPTS_LIMIT}`);
  const codes = read("codes", parseCodes, 'statuses such as "429,503"');
  const firstDelayMs = read("min_wait", parseWait, 'a duration up to 24h such as "5s"');
  const maxDelayMs = read("max_wait", parseWait, 'a duration up to 24h such as "2m"');
  if ([attempts, codes, firstDelayMs, maxDelayMs].every((value) => value === undefined))
    return { policy: undefined, ignored };
  return {
    policy: {
      attempts: attempts ?? defaults.attempts,
      firstDelayMs: firstDelayMs ?? defaults.firstDelayMs,
      // A longest wait below the first one could only mean that the first one is too long.
      maxDelayMs: Math.max(maxDelayMs ?? defaults.maxDelayMs, firstDelayMs ?? 0),
      ...(codes !== undefined && { codes }),
    },
    ignored,
  };
}

function parseAttempts(text: string): number | undefined {
  const value = Number(text);
  return /^\d{1,3}$/.test(text) && value >= 1 && value <= ATTEMPTS_LIMIT ? value : undefined;
}

function parseCodes(text: string): number[] | undefined {
  const codes = text.split(",").map((code) => code.trim());
  const areStatuses = codes.every((code) => /^[1-5]\d\d$/.test(code));
  return areStatuses && codes.length <= CODES_LIMIT ? codes.map(Number) : undefined;
}

function parseWait(text: string): number | undefined {
  const ms = parseDuration(text);
  return ms !== undefined && ms > 0 && ms <= WAIT_LIMIT_MS ? ms : undefined;
}
