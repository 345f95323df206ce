import { standsFor } from "#ledger/stands-for.ts";
import type { Build } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { Release } from "#ledger/types/release.ts";
import { labels } from "#sdk/labels.ts";

/**
 * Keep a function whose spec and image are what serves already, or what a roll-back took it away from, and
 * that still runs; switch otherwise. The
 * release of this very build is switched to again: that is a success without effect after a crash.
 */
export function decideSwitch(
  current:
    | Pick<Release, "id" | "buildId" | "repositoryId" | "specHash" | "digest" | "insteadOf">
    | undefined,
  planned: Pick<PlannedFunction, "specHash">,
  facts: {
    readonly build: Pick<Build, "id" | "repositoryId">;
    /** Of what was built for it. */
    readonly digest: string;
    /** Labels of what the engine runs; absent when it runs nothing by that name. */
    readonly running: Readonly<Record<string, string>> | undefined;
  },
): "keep" | "switch" {
  const { build } = facts;
  if (current === undefined || current.buildId === build.id) return "switch";
  // Whose name it is decides the ledger, when the release is declared.
  if (current.repositoryId !== build.repositoryId) return "switch";
  if (!standsFor(current, { specHash: planned.specHash, digest: facts.digest })) return "switch";
  return facts.running?.[labels.release] === current.id ? "keep" : "switch";
}
