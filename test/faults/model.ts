import type { Observed, SeenBuild, SeenStatus } from "./observed.ts";
import type { Pushed } from "./work-tree.ts";

/** What a commit shows in `stack-deploy` for each end of its build. */
const SHOWN: Readonly<Record<string, string>> = {
  live: "success",
  failed: "failure",
  superseded: "error",
  cancelled: "error",
};

/**
 * What a quiet platform owes to those who pushed, whoever was killed where. Answers each breach as a
 * sentence; none when all is well.
 */
export function findBreaches(pushes: readonly Pushed[], seen: Observed): string[] {
  const byRepository = Map.groupBy(pushes, ({ repository }) => repository);
  return [
    ...pushes.flatMap((pushed) => findPushBreaches(pushed, pushes, seen)),
    ...[...byRepository].flatMap(([name, own]) => findServingBreaches(name, own, seen)),
    ...[...seen.history].flatMap(([service, texts]) =>
      findHistoryBreaches(service, texts, pushes, seen),
    ),
    ...findReleaseBreaches(seen),
  ];
}

/** Every accepted commit has one final, true status. */
function findPushBreaches(pushed: Pushed, pushes: readonly Pushed[], seen: Observed): string[] {
  const builds = buildsOf(pushed, seen);
  const newest = builds.at(-1);
  const isHead = seen.heads.get(pushed.repository) === pushed.sha;
  if (newest === undefined) {
    // A forge announces each push it took; of GitHub's, those whose webhook was lost may be passed by.
    const owed = isHead || (pushed.accepted && pushed.repository.startsWith("forge:"));
    return owed ? [`${nameOf(pushed)} was accepted and has no build`] : [];
  }
  return [
    ...(isHead ? findEndBreaches(pushed, newest) : []),
    ...findToldBreaches(pushed, builds),
    ...findReasonBreaches(pushed, newest, pushes, seen),
    ...findStatusBreaches(
      pushed,
      { ...newest, state: stateOf(builds) },
      builds.some(({ gaveWay }) => gaveWay),
      seen,
    ),
  ];
}

/** The newest commit of a branch ends as its content deserves. */
function findEndBreaches(pushed: Pushed, { state, reason }: SeenBuild): string[] {
  const deserved = pushed.kind === "good" ? "live" : "failed";
  return state === deserved
    ? []
    : [`${nameOf(pushed)} is the newest and ended ${state} (${reason}) instead of ${deserved}`];
}

/** What the pusher was told is true of a build of that commit; a redelivery may have made a later one. */
function findToldBreaches(pushed: Pushed, builds: readonly SeenBuild[]): string[] {
  const { told } = pushed;
  if (told === undefined || builds.some(({ state }) => state === told)) return [];
  return [`${nameOf(pushed)} was told ${told} and ended ${builds.map(({ state }) => state)}`];
}

function findReasonBreaches(
  pushed: Pushed,
  { state, reason }: SeenBuild,
  pushes: readonly Pushed[],
  seen: Observed,
): string[] {
  if (state === "live")
    return pushed.kind === "good" ? [] : [`${nameOf(pushed)} is live and cannot be`];
  if (state === "superseded") {
    return isSupersededByNewer(pushed, reason, pushes, seen)
      ? []
      : [`${nameOf(pushed)} says "${reason}", which is no newer commit`];
  }
  if (state === "failed" && pushed.kind === "good" && !reason.startsWith("gave up"))
    return [`${nameOf(pushed)} is good and failed: ${reason}`];
  return SHOWN[state] === undefined ? [`${nameOf(pushed)} never ended: ${state}`] : [];
}

/**
 * Whether the commit named is newer. One whose webhook came late counts by what superseded it in turn: until
 * a worker has read the branch's head, the order is that of arrival.
 */
function isSupersededByNewer(
  pushed: Pushed,
  reason: string,
  pushes: readonly Pushed[],
  seen: Observed,
  seenBefore: readonly string[] = [],
): boolean {
  const by = /^superseded by ([0-9a-f]{7})$/.exec(reason)?.[1] ?? "none";
  const named = pushes.find(
    ({ repository, sha }) => repository === pushed.repository && sha.startsWith(by),
  );
  if (named === undefined || seenBefore.includes(by)) return false;
  if (named.order >= pushed.order) return true;
  return buildsOf(named, seen).some((build) =>
    isSupersededByNewer(pushed, build.reason, pushes, seen, [...seenBefore, by]),
  );
}

/** A commit that was live shows a failure once one of its versions gave way, until it is deployed again. */
function findStatusBreaches(
  pushed: Pushed,
  newest: SeenBuild,
  gaveWay: boolean,
  seen: Observed,
): string[] {
  const key = `${pushed.repository} ${pushed.sha}`;
  const shown = seen.shown.get(key) ?? [];
  const stack = shown.find(({ context }) => context === "stack-deploy");
  const breaches: string[] = [];
  // Giving up is the platform's error, not the commit's failure.
  const due = newest.reason.startsWith("gave up") ? "error" : SHOWN[newest.state];
  if (stack?.state !== due && !(gaveWay && stack?.state === "failure"))
    breaches.push(`${nameOf(pushed)} ended ${newest.state} and shows ${stack?.state ?? "nothing"}`);
  for (const { context, state } of shown) {
    if (state === "pending") breaches.push(`${nameOf(pushed)} shows ${context} pending for ever`);
    if (newest.state === "live" && state !== "success" && !gaveWay)
      breaches.push(`${nameOf(pushed)} is live and shows ${context} ${state}`);
  }
  const wanted = seen.wanted.get(key) ?? [];
  if (format(shown) !== format(wanted))
    breaches.push(`${nameOf(pushed)} shows ${format(shown)}, wanted is ${format(wanted)}`);
  return breaches;
}

/** What serves is the newest eligible commit, but for what was put back, by hand or after a crash loop. */
function findServingBreaches(name: string, pushes: readonly Pushed[], seen: Observed): string[] {
  const live = newestLive(name, seen);
  const newest = pushes.find(({ sha }) => sha === live?.sha);
  return Object.entries(newest?.answers ?? {}).flatMap(([service, text]) => {
    const answer = seen.answers.get(service);
    const back = seen.releases.find((one) => one.service === service && one.state === "serving");
    const isBack = live?.gaveWay === true || back?.isRollback === true;
    const due = isBack ? pushes.find(({ sha }) => sha === back?.sha)?.answers[service] : text;
    return answer === due ? [] : [`${service} answers "${answer}", it has to be "${due}"`];
  });
}

/**
 * What callers saw never went back, except from a version whose stack failed; and nobody saw a version of a
 * commit that was superseded before its turn.
 */
function findHistoryBreaches(
  service: string,
  texts: readonly string[],
  pushes: readonly Pushed[],
  seen: Observed,
): string[] {
  const breaches: string[] = [];
  for (const [index, text] of texts.entries()) {
    const states = carriersOf(service, text, pushes).map((pushed) =>
      stateOf(buildsOf(pushed, seen)),
    );
    if (!states.some((state) => state === "live" || state === "failed"))
      breaches.push(`${service} answered "${text}", whose commit ended ${states.join(", ")}`);
    const next = texts[index + 1];
    if (next === undefined || orderOf(next) >= orderOf(text)) continue;
    if (!states.includes("failed") && !wasPutBack(service, text, next, pushes, seen))
      breaches.push(`${service} went back from "${text}" to "${next}", which did not fail`);
  }
  return breaches;
}

/** By hand to what serves next, or after a crash loop of what served before. */
function wasPutBack(
  service: string,
  text: string,
  next: string,
  pushes: readonly Pushed[],
  seen: Observed,
): boolean {
  const putBack = carriersOf(service, next, pushes).map(({ sha }) => sha);
  return (
    seen.releases.some(
      (one) => one.service === service && one.isRollback && putBack.includes(one.sha),
    ) ||
    carriersOf(service, text, pushes).some((pushed) =>
      buildsOf(pushed, seen).some(({ gaveWay }) => gaveWay),
    )
  );
}

/** How a commit ended: one that was live stays that when a later redeploy of it came to nothing. */
function stateOf(builds: readonly SeenBuild[]): string {
  const last = builds.at(-1)?.state ?? "unknown";
  const isNothing = last === "superseded" || last === "cancelled";
  return isNothing && builds.some(({ state }) => state === "live") ? "live" : last;
}

/** Nothing is deployed twice, and ledger and engine agree on what serves. */
function findReleaseBreaches({ releases, records, builds }: Observed): string[] {
  // A failed build is taken back, and a redelivery of it is a retry that releases the same once more.
  const shas = new Map(
    builds.filter((build) => build.state !== "failed").map(({ id, sha }) => [id, sha]),
  );
  const deployed = releases.filter(
    ({ buildId, sha, state, isRollback }) =>
      shas.get(buildId) === sha && state !== "failed" && !isRollback,
  );
  const twice = [...Map.groupBy(deployed, ({ service, sha }) => `${service} ${sha.slice(0, 7)}`)]
    .filter(([, same]) => same.length > 1)
    .map(([what, same]) => `${what} was released ${same.length} times: ${JSON.stringify(same)}`);
  const torn = [...Map.groupBy(releases, ({ service }) => service)].flatMap(([service, own]) => {
    const serving = own.find(({ state }) => state === "serving");
    const record = records.find((one) => one.service === service);
    if (serving?.id === record?.release && serving?.fence === record?.fence && !record?.pending)
      return [];
    return [`${service}: ledger ${JSON.stringify(serving)}, engine ${JSON.stringify(record)}`];
  });
  return [...twice, ...torn];
}

/** In the order of their generations. */
function buildsOf({ repository, sha }: Pushed, { builds }: Observed): SeenBuild[] {
  return builds
    .filter((build) => build.repository === repository && build.sha === sha)
    .toSorted((a, b) => a.generation - b.generation);
}

function newestLive(name: string, { builds }: Observed): SeenBuild | undefined {
  return builds
    .filter(({ repository, state }) => repository === name && state === "live")
    .toSorted((a, b) => a.generation - b.generation)
    .at(-1);
}

function carriersOf(service: string, text: string, pushes: readonly Pushed[]): Pushed[] {
  return pushes.filter(({ answers }) => answers[service] === text);
}

/** `forge:alice/shop#12` is 12. */
function orderOf(text: string): number {
  return Number(text.split("#")[1]);
}

function nameOf({ repository, order, sha, kind }: Pushed): string {
  return `${repository}#${order} (${kind}, ${sha.slice(0, 7)})`;
}

function format(statuses: readonly SeenStatus[]): string {
  return statuses
    .map(({ context, state, description }) => `${context}=${state} "${description}"`)
    .toSorted()
    .join("; ");
}
