import type { Build } from "#ledger/types/build.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { ownerIdOf, repositoryIdOf } from "#sdk/function-owner.ts";
import { labels } from "#sdk/labels.ts";
import { type FunctionStatus, type GarbageRequest, TERMINAL_BUILD_STATES } from "#sdk/messages.ts";
import { formatServiceName, toSlug } from "#sdk/names.ts";

export type GarbageLedger = Pick<
  Ledger,
  "findOwner" | "findBuild" | "listRepositories" | "listBuilds" | "listServing" | "ownerOfFunction"
>;

export type Garbage = {
  /** Deployed names to delete, sorted. */
  readonly services: readonly string[];
  /** Builds that would bring them back. */
  readonly builds: readonly Build[];
};

/** Builds of an owner that are looked through. */
const BUILDS_LIMIT = 500;

/**
 * What the owner asks to be rid of: functions of the repository (of all, for `*`) that neither the request
 * nor a newer build's plan keeps. Rights compare owner ids only.
 */
export function findGarbage(
  ledger: GarbageLedger,
  deployed: readonly FunctionStatus[],
  request: GarbageRequest,
): Garbage {
  const { ownerId } = request;
  const repositories = findRepositories(ledger, request);
  const builds = ledger
    .listBuilds({ ownerId, limit: BUILDS_LIMIT })
    .filter(({ repositoryId }) => repositories === "all" || repositories.has(repositoryId));
  const newer = builds.filter((build) => isNewer(ledger, build, request));
  const kept = keptServices(ledger, newer, request);

  const isTheirs = (owner: string | undefined, repository: string | undefined) =>
    owner === ownerId &&
    (repositories === "all" || (repository !== undefined && repositories.has(repository)));
  const served = ledger
    .listServing({ ownerId })
    .filter((release) => isTheirs(release.ownerId, release.repositoryId))
    .map(({ service }) => service);
  const listed = deployed
    .filter((item) => {
      const holder = ledger.ownerOfFunction(item.name);
      if (holder !== undefined) return isTheirs(holder.ownerId, holder.repositoryId);
      return isTheirs(ownerIdOf(item), repositoryIdOf(item) ?? namedRepository(item, request));
    })
    .map(({ name }) => name);

  return {
    services: [...new Set([...served, ...listed])].filter((name) => !kept.has(name)).sort(),
    builds: isRemoval(request)
      ? builds.filter((build) => !newer.includes(build) && !isTerminal(build))
      : [],
  };
}

/** Ids of the repositories meant; a name that is not known stands for itself, to match a label. */
function findRepositories(
  ledger: GarbageLedger,
  { repo, ownerId, repositoryId }: GarbageRequest,
): "all" | ReadonlySet<string> {
  if (repo === "*") return "all";
  if (repositoryId !== undefined) return new Set([repositoryId]);
  const named = ledger.listRepositories(ownerId).filter((one) => hasName(one, repo));
  return new Set([...named.map(({ id }) => id), toSlug(repo)]);
}

function hasName({ name }: Repository, wanted: string): boolean {
  return name.toLowerCase() === wanted.toLowerCase();
}

/** A function deployed without ids says only its repository's name. */
function namedRepository(
  { labels: of }: FunctionStatus,
  { repo }: GarbageRequest,
): string | undefined {
  const name = of[labels.gitRepo]?.toLowerCase();
  return name === repo.toLowerCase() ? toSlug(repo) : undefined;
}

/** Accepted after what made the garbage: a push after an uninstall, or after the build that asks. */
function isNewer(ledger: GarbageLedger, build: Build, request: GarbageRequest): boolean {
  const asking = request.buildId === undefined ? undefined : ledger.findBuild(request.buildId);
  if (asking !== undefined)
    return build.branch === asking.branch
      ? build.generation > asking.generation
      : build.acceptedAt > asking.acceptedAt;
  return request.before !== undefined && build.acceptedAt > request.before;
}

function keptServices(
  ledger: GarbageLedger,
  newer: readonly Build[],
  { functions, owner, ownerId }: GarbageRequest,
): ReadonlySet<string> {
  const slug = ledger.findOwner(ownerId)?.slug ?? toSlug(owner);
  const planned = newer
    .filter((build) => build.state === "live" || !isTerminal(build))
    .flatMap((build) => build.plan?.functions ?? [])
    .map(({ service }) => service);
  const asked = functions.map((name) => formatServiceName(slug, name.toLowerCase()));
  return new Set([...planned, ...asked]);
}

/** The repository or the account went away; a build that asks only tidies up after itself. */
export function isRemoval({ buildId, functions }: GarbageRequest): boolean {
  return buildId === undefined && functions.length === 0;
}

function isTerminal({ state }: Build): boolean {
  return TERMINAL_BUILD_STATES.some((terminal) => terminal === state);
}
