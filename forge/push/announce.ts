import { setHead } from "../git/bare-repository.ts";
import type { Git } from "../git/git.ts";
import { NO_SHA, readRefs } from "../git/read-refs.ts";
import type { Deliveries, Delivery, RefChange } from "../store/deliveries.ts";
import type { Repositories, Repository } from "../store/repositories.ts";

export type Announcer = {
  /**
   * Make the webhooks of refs that moved, once. `changes` is what a push reports; where it does not join
   * on to what was announced last (two pushes crossed, a crash), the refs themselves are read instead.
   */
  announce(repository: Repository, changes: readonly RefChange[]): Promise<Delivery[]>;
  /** Compare all refs with what was announced, and make the webhooks that are missing. */
  reconcile(repository: Repository): Promise<Delivery[]>;
};

export type AnnouncerTools = {
  readonly git: Git;
  readonly folderOf: (repositoryId: number) => string;
  readonly repositories: Repositories;
  readonly deliveries: Deliveries;
  readonly maxWebhooksPerPush: number;
};

export function createAnnouncer(tools: AnnouncerTools): Announcer {
  const { git, folderOf, repositories, deliveries, maxWebhooksPerPush } = tools;
  return { announce, reconcile };

  async function announce(
    repository: Repository,
    changes: readonly RefChange[],
  ): Promise<Delivery[]> {
    const told = changes.filter(({ ref }) => /^refs\/(heads|tags)\//.test(ref));
    const joins = told.every(
      ({ ref, before }) => (deliveries.findAnnounced(repository.id, ref) ?? NO_SHA) === before,
    );
    return joins ? record(repository, told) : reconcile(repository);
  }

  async function reconcile(repository: Repository): Promise<Delivery[]> {
    const refs = await readRefs(git, folderOf(repository.id));
    // Read after git has answered, and used without a pause: no other announcement comes between.
    const announced = deliveries.listAnnounced(repository.id);
    return record(repository, compare(refs, announced));
  }

  function record(repository: Repository, changes: readonly RefChange[]): Promise<Delivery[]> {
    if (changes.length === 0) return Promise.resolve([]);
    const branch = firstBranch(changes);
    const makeDefault = !repository.hasDefaultBranch && branch !== undefined;
    if (makeDefault) repositories.setDefaultBranch(repository.id, branch);
    const told = branchesFirst(changes, makeDefault ? branch : repository.defaultBranch);
    const made = deliveries.announce(repository.id, changes, told.slice(0, maxWebhooksPerPush));
    return makeDefault
      ? setHead(folderOf(repository.id), branch).then(() => made)
      : Promise.resolve(made);
  }
}

function compare(
  refs: readonly { readonly name: string; readonly sha: string }[],
  announced: ReadonlyMap<string, string>,
): RefChange[] {
  const there = new Set(refs.map(({ name }) => name));
  const moved = refs
    .map(({ name, sha }) => ({ ref: name, before: announced.get(name) ?? NO_SHA, after: sha }))
    .filter(({ before, after }) => before !== after);
  const gone = [...announced]
    .filter(([ref]) => !there.has(ref))
    .map(([ref, before]) => ({ ref, before, after: NO_SHA }));
  return [...moved, ...gone];
}

/** The first push decides: main, else master, else the first branch it brings. */
function firstBranch(changes: readonly RefChange[]): string | undefined {
  const branches = changes
    .filter(({ ref, after }) => ref.startsWith("refs/heads/") && after !== NO_SHA)
    .map(({ ref }) => ref.slice("refs/heads/".length));
  return ["main", "master"].find((name) => branches.includes(name)) ?? branches[0];
}

/** The default branch, then other branches, then tags; a push with very many refs tells the first. */
function branchesFirst(changes: readonly RefChange[], defaultBranch: string): RefChange[] {
  const rank = ({ ref }: RefChange) =>
    ref === `refs/heads/${defaultBranch}` ? 0 : ref.startsWith("refs/heads/") ? 1 : 2;
  return [...changes].sort((a, b) => rank(a) - rank(b));
}
