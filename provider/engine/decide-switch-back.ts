import type { SwitchedBack } from "#provider/provider.ts";
import type { FunctionRecord, Release } from "./function-record.ts";
import { identify } from "./report-record.ts";
import type { EngineSettings } from "./settings.ts";
import type { DeathRun } from "./version.ts";

/** Whether a version that was published at `publishedAt`, as `performance.now()` says, began to die over and over at once. */
export function isCrashLoop(
  { count, since }: DeathRun,
  publishedAt: number,
  { crashLimit, watchMs }: Pick<EngineSettings, "crashLimit" | "watchMs">,
): boolean {
  return count >= crashLimit && since - publishedAt <= watchMs;
}

/** What a version in a crash loop gives way to: what served before it, under a new fence; `undefined` when nothing did. */
export function decideSwitchBack(
  record: FunctionRecord,
  crashing: Release,
  problem = "its replicas died",
): (Release & { readonly switchedBack: SwitchedBack }) | undefined {
  if (record.previous === undefined) return undefined;
  const { failed: _, ...previous } = record.previous;
  const switchedBack = { from: identify(crashing), reason: `crash loop: ${problem}` };
  return { ...previous, fence: record.fence + 1, switchedBack };
}
