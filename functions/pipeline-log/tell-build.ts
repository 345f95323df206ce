import type { Build } from "#ledger/types/build.ts";
import type { Delivery } from "#ledger/types/delivery.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import { type BuildEvent, TERMINAL_BUILD_STATES, type TerminalBuildState } from "#sdk/messages.ts";
import { STACK_CONTEXT } from "#sdk/stack-status.ts";
import { functionUrl, type StatusUrls } from "#sdk/status-urls.ts";
import { createBell } from "./bell.ts";

export type TellTools = {
  readonly ledger: Pick<
    Ledger,
    "findBuild" | "findOwner" | "listEvents" | "listStatuses" | "watch"
  >;
  readonly urls: StatusUrls;
  /** Longest silence, in milliseconds. */
  readonly heartbeatMs: number;
  readonly now: () => number;
};

/** How long the last event may lag behind the state it tells of, in milliseconds. */
const LAST_EVENT_GRACE_MS = 1_000;
/** The ledger rings; this is how long it takes when another process wrote. In milliseconds. */
const LOOK_AGAIN_MS = 1_000;

/** Every event of a build once and in order, with signs of life in between, up to and with `ended`. */
export async function* tellBuild(
  tools: TellTools,
  buildId: string,
  gone: AbortSignal,
): AsyncGenerator<BuildEvent> {
  const { ledger, now, heartbeatMs } = tools;
  const bell = createBell();
  const unwatch = ledger.watch(buildId, bell.ring);
  gone.addEventListener("abort", bell.ring, { once: true });
  let told = 0;
  let quietSince = now();
  let overSince: number | undefined;
  try {
    while (!gone.aborted) {
      for (const { sequence, event } of ledger.listEvents(buildId, told)) {
        yield event;
        if (event.type === "ended") return;
        told = sequence;
        quietSince = now();
      }
      const build = ledger.findBuild(buildId);
      if (build === undefined) return;
      if (terminalState(build) !== undefined) overSince ??= now();
      if (overSince !== undefined && now() - overSince >= LAST_EVENT_GRACE_MS) {
        yield endOfBuild(tools, build);
        return;
      }
      if (now() - quietSince >= heartbeatMs) {
        yield signOfLife(build, now());
        quietSince = now();
      }
      await bell.wait(Math.min(LOOK_AGAIN_MS, heartbeatMs));
    }
  } finally {
    unwatch();
    gone.removeEventListener("abort", bell.ring);
  }
}

/** What there is to tell now. */
export async function* listTold(
  { ledger }: Pick<TellTools, "ledger">,
  buildId: string,
): AsyncGenerator<BuildEvent> {
  for (const { event } of ledger.listEvents(buildId)) yield event;
}

/** A delivery that made no build has one thing to say. */
export async function* tellDelivery(delivery: Delivery): AsyncGenerator<BuildEvent> {
  const { decision, reason, receivedAt } = delivery;
  const state = decision === "refused" ? "failed" : "skipped";
  yield { v: 1, at: receivedAt, type: "ended", state, reason, ms: 0, urls: [] };
}

function signOfLife({ state, reason }: Build, at: number): BuildEvent {
  const doing = DOING[state] ?? state;
  return { v: 1, at, type: "waiting", reason: reason === "" ? doing : `${doing}: ${reason}` };
}

const DOING: Partial<Record<Build["state"], string>> = {
  accepted: "waiting for its turn",
  planned: "about to build",
  building: "still building",
  built: "about to deploy",
  deploying: "still deploying",
};

/** For a build that ended without saying so: superseded, cancelled, or a crash in between. */
function endOfBuild({ ledger, urls, now }: TellTools, build: Build): BuildEvent {
  const { reason, acceptedAt, endedAt = now() } = build;
  const state = terminalState(build) ?? "failed";
  const slug = ledger.findOwner(build.ownerId)?.slug;
  const names = state === "live" ? (build.plan?.functions ?? []) : [];
  return {
    v: 1,
    at: endedAt,
    type: "ended",
    state,
    reason,
    ...faultOf(ledger, build),
    ms: endedAt - acceptedAt,
    urls: slug === undefined ? [] : names.map(({ name }) => functionUrl(urls, slug, name)),
  };
}

/** The commit is told a failure of its own as `failure`, and one of the platform as `error`. */
function faultOf(
  ledger: Pick<Ledger, "listStatuses">,
  { id, state, repositoryId, sha }: Build,
): { readonly fault?: "platform" } {
  const told = ledger
    .listStatuses(repositoryId, sha)
    .find(({ context, buildId }) => context === STACK_CONTEXT && buildId === id);
  return state === "failed" && told?.state === "error" ? { fault: "platform" } : {};
}

function terminalState({ state }: Build): TerminalBuildState | undefined {
  return TERMINAL_BUILD_STATES.find((terminal) => terminal === state);
}
