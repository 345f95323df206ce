import { parseDuration } from "#sdk/duration.ts";

type Field = { readonly min: number; readonly max: number; readonly names?: readonly string[] };

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const DAYS = "sun mon tue wed thu fri sat".split(" ");
const FIELDS: readonly Field[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: MONTHS },
  { min: 0, max: 6, names: DAYS },
];
const DESCRIPTOR = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/;
const RULE =
  'it must be five cron fields such as "*/5 * * * *", or "@hourly", "@every 5m" and the like';

/**
 * Why a `schedule` would never run, or `undefined` when the cron connector takes it. Syntax: robfig/cron
 * 3.0.1 (spec/connectors.md section 4.5), without time zones, whose malformed ones stopped the original.
 */
export function refuseSchedule(value: string): string | undefined {
  if (DESCRIPTOR.test(value)) return undefined;
  if (value.startsWith("@every "))
    return parseDuration(value.slice("@every ".length)) === undefined ? RULE : undefined;
  const texts = value.trim().split(/\s+/);
  const good =
    texts.length === FIELDS.length && FIELDS.every((field, i) => isField(texts[i] ?? "", field));
  return good ? undefined : RULE;
}

function isField(text: string, field: Field): boolean {
  return text.split(",").every((item) => isItem(item, field));
}

/** `*`, `N` or `N-M`, each with an optional `/step`. */
function isItem(item: string, field: Field): boolean {
  const [range = "", step, ...more] = item.split("/");
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d{0,2}$/.test(step))) return false;
  if (range === "*" || range === "?") return true;
  const [from, to, ...rest] = range.split("-").map((text) => toNumber(text, field));
  if (rest.length > 0 || from === undefined || Number.isNaN(from)) return false;
  return to === undefined || from <= to;
}

/** NaN when it is no number of this field. */
function toNumber(text: string, { min, max, names = [] }: Field): number {
  const name = names.indexOf(text.toLowerCase());
  const value = name >= 0 ? name + min : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : Number.NaN;
}
