import type { PlannedFunction, Release } from "#ledger/types.ts";
import { labels } from "#sdk/labels.ts";

/**
 * Keep a function whose spec and image are what serves already and still runs; switch otherwise. The
 * release of this very build is switched to again: that is a success without effect after a crash.
 */
export function decideSwitch(
  current: Release | undefined,
  planned: PlannedFunction,
  digest: string,
  buildId: string,
  runningLabels: Readonly<Record<string, string>> | undefined,
): "keep" | "switch" {
  if (current === undefined || current.buildId === buildId) return "switch";
  if (current.specHash !== planned.specHash || current.digest !== digest) return "switch";
  return runningLabels?.[labels.release] === current.id ? "keep" : "switch";
}
