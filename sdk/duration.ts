const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Go's `time.Duration` holds no more: 2^63 nanoseconds, some 292 years. */
const LONGEST_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of a duration as OpenFaaS writes it: plain seconds (`"30"`) or a Go duration
 * (`"1m5s"`, `"500ms"`). `undefined` when it is neither, or longer than Go's longest. Source: spec/openfaas-api.md section 15.
 */
export function parseDuration(text: string): number | undefined {
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : parseGoDuration(text);
  return ms === undefined || ms > LONGEST_MS ? undefined : ms;
}

function parseGoDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount = "0", unit = "ms"] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(amount) * (UNIT_MS[unit] ?? 1);
  }
  return total;
}

/** `850` is `850 ms`, `1234` is `1.23 s`, `61000` is `1m 1s`. */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)} ms`;
  if (Math.round(ms / 10) < 6_000) return `${(ms / 1_000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
}
