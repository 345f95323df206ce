import { setImmediate as breathe } from "node:timers/promises";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Retention } from "#ledger/types/retention.ts";
import { type Env, readEnv } from "#sdk/env.ts";
import type { Log } from "#sdk/log.ts";

const DAY_MS = 24 * 3_600_000;
/** Longer than any source repeats a delivery by itself or by hand: GitHub forgets them after three days. */
const REPEAT_DAYS = 7;
/** Rows of each kind in one transaction. */
const BATCH = 20;

/** `releases` is how many of each function stay. */
export function readRetention(env: Env, releases: number): Retention {
  const read = readEnv(env);
  const days = (name: string, fallback: number, min: number) =>
    read.integer(name, fallback, { min, max: 36_500 }) * DAY_MS;
  return read.done({
    buildsMs: days("keep_builds_days", 90, REPEAT_DAYS),
    buildsPerOwner: read.integer("keep_builds", 1_000, { min: 1, max: 1_000_000 }),
    deliveriesMs: days("keep_deliveries_days", 30, REPEAT_DAYS),
    auditMs: days("keep_audit_days", 365, 1),
    repeatMs: REPEAT_DAYS * DAY_MS,
    releases,
  });
}

/** Forget what is past its time, a few rows at a time, so that pushes and statuses go on in between. */
export async function pruneLedger(
  ledger: Pick<Ledger, "prune">,
  retention: Retention,
  log: Log,
): Promise<void> {
  const sums = { builds: 0, deliveries: 0, statuses: 0, audit: 0 };
  for (;;) {
    const { builds, deliveries, statuses, audit } = ledger.prune(retention, BATCH);
    if (builds + deliveries + statuses + audit === 0) break;
    sums.builds += builds;
    sums.deliveries += deliveries;
    sums.statuses += statuses;
    sums.audit += audit;
    await breathe();
  }
  if (Object.values(sums).some((count) => count > 0)) log.info("ledger-pruned", sums);
}
