import type { Build } from "#ledger/types/build.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { functionUrl } from "#sdk/status-urls.ts";
import type { Ending } from "./build-failed.ts";
import type { Commit } from "./statuses.ts";

/** The last event of a build, for whoever follows it. `ms` counts from when the push was accepted. */
export function endedEvent(
  { owner, urls }: Commit,
  { plan, acceptedAt }: Build,
  { state, reason, fault }: Ending,
  at: number,
): BuildEvent {
  const live = state === "live" ? (plan?.functions ?? []) : [];
  return {
    v: 1,
    at,
    type: "ended",
    state,
    reason,
    ...(fault && { fault }),
    ms: at - acceptedAt,
    urls: live.map(({ name }) => functionUrl(urls, owner.slug, name)),
  };
}
