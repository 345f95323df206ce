import type { Log } from "#sdk/log.ts";

/** The same warning again within this time is counted instead. */
const AGAIN_MS = 60_000;

/**
 * A warning for what goes wrong many times a second while something is away: told at once, then once a
 * minute with how often it came meanwhile.
 */
export function createSeldomWarning(
  log: Log,
  event: string,
  now: () => number = Date.now,
): (error: string) => void {
  const told = new Map<string, { at: number; repeated: number }>();

  return (error) => {
    const last = told.get(error);
    if (last !== undefined && now() - last.at < AGAIN_MS) {
      last.repeated += 1;
      return;
    }
    log.warn(event, { error, ...(last !== undefined && { repeated: last.repeated }) });
    // What came before is past: the map holds what goes wrong now.
    for (const [text, { at }] of told) if (now() - at >= AGAIN_MS) told.delete(text);
    told.set(error, { at: now(), repeated: 0 });
  };
}
