import { TERMINAL_BUILD_STATES } from "#sdk/messages.ts";
import type { Build } from "../types/build.ts";
import type { Ledger } from "../types/ledger.ts";
import type { UnixMs } from "../types/unix-ms.ts";

/**
 * What holds of a ledger at any moment, whoever was killed where. Answers each breach as a sentence; none
 * when all is well.
 */
export function findBreaches(ledger: Ledger): string[] {
  const builds = ledger.listBuilds({ limit: 1_000_000 });
  return [
    ...Map.groupBy(builds, branchOf).values().flatMap(findBranchBreaches),
    ...builds.flatMap((build) => findStatusBreaches(ledger, build, builds)),
    ...findDeliveryBreaches(ledger),
  ];
}

/** Builds that a worker may be at: leased, or half switched. */
export function listRunning(ledger: Ledger): Build[] {
  const unleased = new Set(ledger.listUnleased().map(({ id }) => id));
  return ledger
    .listBuilds({ limit: 1_000_000 })
    .filter((build) => isOpen(build) && (!unleased.has(build.id) || build.state === "deploying"));
}

export function isOpen({ state }: Build): boolean {
  return !TERMINAL_BUILD_STATES.some((terminal) => terminal === state);
}

export function branchOf({ repositoryId, branch }: Build): string {
  return `${repositoryId} ${branch}`;
}

function findBranchBreaches(builds: readonly Build[]): string[] {
  const open = builds.filter(isOpen);
  const live = builds.filter(({ state }) => state === "live").toReversed();
  const order = live.map(({ generation }) => generation);
  const ends = live.map(({ endedAt = 0 }): UnixMs => endedAt);
  const breaches: string[] = [];
  if (open.length > 2) breaches.push(`more than one running and one waiting: ${list(open)}`);
  if (new Set(builds.map(({ generation }) => generation)).size !== builds.length)
    breaches.push(`a generation is used twice: ${list(builds)}`);
  if (!isSorted(order) || !isSorted(ends))
    breaches.push(`an older build went live after a newer one: ${list(live)}`);
  return breaches;
}

/** A build that ended has told its commit; what is pending there is pending for a build still open. */
function findStatusBreaches(ledger: Ledger, build: Build, builds: readonly Build[]): string[] {
  const statuses = ledger.listStatuses(build.repositoryId, build.sha);
  if (statuses.length === 0) return [`no status at all: ${list([build])}`];
  return statuses
    .filter(({ state }) => state === "pending")
    .filter(({ buildId }) => !builds.some((other) => other.id === buildId && isOpen(other)))
    .map(({ context }) => `${context} is pending for ever: ${list([build])}`);
}

function findDeliveryBreaches(ledger: Ledger): string[] {
  return ledger
    .listDeliveries(1_000_000)
    .filter(({ decision }) => decision === "queued")
    .filter(({ buildId = "" }) => ledger.findBuild(buildId) === undefined)
    .map(({ key }) => `delivery ${key} has no build`);
}

function isSorted(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || (numbers[index - 1] ?? 0) <= number);
}

function list(builds: readonly Build[]): string {
  return builds
    .map(({ id, branch, generation, state }) => `${id} ${branch}#${generation} ${state}`)
    .join(", ");
}
