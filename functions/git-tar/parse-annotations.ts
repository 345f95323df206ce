import { parseDuration } from "#sdk/duration.ts";
import type { FieldReader } from "./field-reader.ts";
import { refuseSchedule } from "./refuse-schedule.ts";
import { refuse } from "./stack-error.ts";

const VALUE_LIMIT = 1_024;
const TEXT = /^[^\p{Cc}]*$/u;

/** Why a value is refused; `undefined` when it is good. */
type Check = (value: string) => string | undefined;

/**
 * OpenFaaS Cloud's four, and the retry settings of the queue (spec/openfaas-api.md section 7). Others are
 * dropped: they steer parts of the platform that owners share.
 */
const ALLOWED: Readonly<Record<string, Check>> = {
  topic: () => undefined,
  schedule: refuseSchedule,
  "com.openfaas.health.http.path": (value) =>
    /^\/[\x21-\x7e]*$/.test(value) ? undefined : 'it must be a path such as "/healthz"',
  "com.openfaas.health.http.initialDelay": refuseDuration,
  "com.openfaas.retry.attempts": (value) =>
    /^\d{1,3}$/.test(value) ? undefined : "it must be a number from 0 to 999",
  "com.openfaas.retry.codes": (value) =>
    /^[1-5]\d\d(\s*,\s*[1-5]\d\d){0,31}$/.test(value)
      ? undefined
      : 'it must be status codes such as "429,503"',
  "com.openfaas.retry.min_wait": refuseDuration,
  "com.openfaas.retry.max_wait": refuseDuration,
};

/** Keep the annotations an owner may set; the others are noted. */
export function parseAnnotations(
  field: string,
  annotations: ReadonlyMap<string, string>,
  read: FieldReader,
): Readonly<Record<string, string>> {
  const kept: [string, string][] = [];
  for (const [name, value] of annotations) {
    const check = Object.hasOwn(ALLOWED, name) ? ALLOWED[name] : undefined;
    if (check === undefined) {
      read.note(`${field}.${name} is not an annotation the platform takes; it is dropped`);
      continue;
    }
    const rule =
      value.length > VALUE_LIMIT || !TEXT.test(value)
        ? "it must be one line of at most 1,024 characters"
        : check(value);
    if (rule !== undefined) refuse(`${field}.${name}`, value, rule);
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

function refuseDuration(value: string): string | undefined {
  return parseDuration(value) === undefined ? 'it must be a duration such as "5s"' : undefined;
}
