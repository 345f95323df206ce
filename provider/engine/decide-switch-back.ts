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

/** `crash loop: replica cart-1f2e3d4c exited with code 7` */
export function describeCrashLoop(problem = "its replicas died"): string {
  return `crash loop: ${problem}`;
}

/** What a version in a crash loop gives way to: what served before it, under a new fence; `undefined` when nothing did. */
export function decideSwitchBack(
  record: FunctionRecord,
  crashing: Release,
  reason: string,
): (Release & { readonly switchedBack: SwitchedBack }) | undefined {
  if (record.previous === undefined) return undefined;
  const { failed: _, ...previous } = record.previous;
  const switchedBack = { from: identify(crashing), reason };
  return { ...previous, fence: record.fence + 1, switchedBack };
}
