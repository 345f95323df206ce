import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Release } from "#ledger/types/release.ts";
import type { Engine, InventoryItem } from "#provider/provider.ts";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { StatusUrls } from "#sdk/status-urls.ts";
import { correctBuilds } from "./correct-builds.ts";
import { decideSwitchBack } from "./decide-switch-back.ts";
import { shortSha } from "./list-versions.ts";

/** How often what could not be recorded at once is looked at again, in milliseconds. */
const LOOK_INTERVAL_MS = 10_000;
/** Many endpoints change at once; they are looked at together. In milliseconds. */
const GATHER_MS = 50;
/** More than a function can have declared since the release that it went back to. */
const RELEASES_LOOKED_AT = 1_000;

export type FollowTools = {
  readonly ledger: Ledger;
  readonly engine: Pick<Engine, "inventory" | "watchEndpoints">;
  readonly urls: StatusUrls;
  /** Tell the sources what is due. */
  readonly sendDue: () => Promise<unknown>;
  readonly log: Log;
  readonly intervalMs?: number;
};

/**
 * Design.md section 6, line 10, and section 7, line 6: what the engine serves is compared with the ledger
 * at the start, and again whenever the engine may have gone back by itself. Resolves after the first look
 * with the function that stops it.
 */
export async function followEngine(tools: FollowTools): Promise<() => void> {
  const { ledger, engine, log, intervalMs = LOOK_INTERVAL_MS } = tools;
  let isCompared = false;
  let soon: NodeJS.Timeout | undefined;
  await look();
  const unwatch = engine.watchEndpoints(lookSoon);
  const timer = setInterval(() => void look(), intervalMs);
  return () => {
    unwatch();
    clearInterval(timer);
    clearTimeout(soon);
  };

  function lookSoon(): void {
    soon ??= setTimeout(() => {
      soon = undefined;
      void look();
    }, GATHER_MS);
  }

  async function look(): Promise<void> {
    try {
      const items = await engine.inventory();
      const asked = items.filter(
        ({ switchedBack, crashLoop }) =>
          !isCompared || switchedBack !== undefined || crashLoop !== undefined,
      );
      const corrected = asked.filter((item) => correct(tools, item));
      isCompared ||= !ledger.listOpen().some(isDeploying);
      if (corrected.length > 0) tellSources();
    } catch (error) {
      log.warn("engine-not-compared", { error: describe(error) });
    }
  }

  /** However long they take; what fails is tried again by the sweeper. */
  function tellSources(): void {
    tools.sendDue().catch((error: unknown) => {
      log.warn("status-not-sent", { error: describe(error) });
    });
  }
}

/** Whether the ledger was changed. */
function correct(tools: FollowTools, item: InventoryItem): boolean {
  const { ledger } = tools;
  const serving = ledger.currentRelease(item.name);
  if (serving === undefined) return false;
  // A build under way says at its end what serves; it is asked again then.
  const { repositoryId } = serving;
  if (ledger.listOpen().some((one) => isDeploying(one) && one.repositoryId === repositoryId))
    return false;
  return serving.id === item.current.release
    ? noteCrashLoop(tools, item, serving)
    : noteReturn(tools, item, serving);
}

function noteCrashLoop(tools: FollowTools, item: InventoryItem, serving: Release): boolean {
  const { ledger, urls, log } = tools;
  const { name: service, crashLoop } = item;
  if (crashLoop === undefined) return false;
  const say = (name: string) => `${name} is in a ${crashLoop}`;
  const corrections = correctBuilds(ledger, urls, serving, say);
  if (!ledger.recordCrashLoop(corrections)) return false;
  const [build] = corrections.map((one) => one.build.id);
  log.error("crash-loop-told", { service, build, fence: serving.fence, reason: crashLoop });
  return true;
}

function noteReturn(tools: FollowTools, item: InventoryItem, serving: Release): boolean {
  const { ledger, urls, log } = tools;
  const { name: service, current } = item;
  const to = ledger
    .listReleases(service, RELEASES_LOOKED_AT)
    .find(({ id }) => id === current.release);
  const decision = decideSwitchBack(item, { serving, isKnown: to !== undefined });
  if (decision === undefined) return false;

  const { because, ...ends } = decision;
  const what = to === undefined ? "what was deployed by hand before" : shortSha(to);
  const say = (name: string) => `${name} serves ${what} again ${because}`;
  const corrections = correctBuilds(ledger, urls, serving, say);
  if (!ledger.recordSwitchBack({ service, ...ends, corrections })) return false;
  const [build] = corrections.map((one) => one.build.id);
  log.error("release-gave-way", { service, build, fence: current.fence, reason: because });
  return true;
}

function isDeploying({ state }: Build): boolean {
  return state === "deploying";
}
