import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { setHead } from "../git/bare-repository.ts";
import type { Git } from "../git/git.ts";
import { readMoves } from "../git/read-moves.ts";
import { NO_SHA, type Ref, readRefs } from "../git/read-refs.ts";
import type { Deliveries, Delivery, RefChange } from "../store/deliveries.ts";
import type { Repositories, Repository } from "../store/repositories.ts";

export type Announcer = {
  /**
   * Make the webhooks of refs that moved, once, and return that of each change. `changes` is what a push
   * reports; where it does not join on to what was announced last (two pushes crossed, a crash), the refs
   * themselves and their logs are read instead.
   */
  announce(repository: Repository, changes: readonly RefChange[]): Promise<Delivery[]>;
  /** Compare all refs with what was announced, and make the webhooks that are missing, one for each move. */
  reconcile(repository: Repository): Promise<Delivery[]>;
};

export type AnnouncerTools = {
  readonly git: Git;
  readonly folderOf: (repositoryId: number) => string;
  readonly repositories: Repositories;
  readonly deliveries: Deliveries;
  readonly maxWebhooksPerPush: number;
  readonly log: Log;
};

/** Before refs are read again, in milliseconds. */
const PAUSES_MS = [50, 500];

export function createAnnouncer(tools: AnnouncerTools): Announcer {
  const { git, folderOf, repositories, deliveries, maxWebhooksPerPush, log } = tools;
  /** The end of the last announcement of each repository: they come one after the other. */
  const last = new Map<number, Promise<unknown>>();

  return {
    announce: ({ id }, changes) => inTurn(id, () => announce(id, changes)),
    reconcile: ({ id }) => inTurn(id, () => reconcile(id)),
  };

  async function announce(id: number, changes: readonly RefChange[]): Promise<Delivery[]> {
    const told = changes.filter(({ ref }) => /^refs\/(heads|tags)\/[^\ufffd]+$/.test(ref));
    const joins = told.every(
      ({ ref, before }) => (deliveries.findAnnounced(id, ref) ?? NO_SHA) === before,
    );
    if (joins) return record(id, told);
    await reconcile(id);
    return told
      .map((change) => deliveries.findNewest(id, change))
      .filter((delivery) => delivery !== undefined);
  }

  async function reconcile(id: number): Promise<Delivery[]> {
    const moves: RefChange[] = [];
    for (const change of compare(await readAllRefs(id), deliveries.listAnnounced(id)))
      moves.push(...(await readMoves(folderOf(id), change)));
    return record(id, moves);
  }

  /** Whoever kills the git that reads them: nobody else would tell what was pushed. */
  async function readAllRefs(id: number): Promise<Ref[]> {
    for (const pauseMs of PAUSES_MS) {
      try {
        return await readRefs(git, folderOf(id));
      } catch (error) {
        log.warn("refs-not-read", { repository: id, error: describe(error) });
        await sleep(pauseMs);
      }
    }
    return readRefs(git, folderOf(id));
  }

  async function record(id: number, changes: readonly RefChange[]): Promise<Delivery[]> {
    if (changes.length === 0) return [];
    const repository = repositories.findById(id);
    if (repository === undefined) throw new Error(`Repository ${id} is not in the record.`);
    const branch = repository.hasDefaultBranch ? undefined : firstBranch(changes);
    if (branch !== undefined) {
      await setHead(folderOf(id), branch);
      repositories.setDefaultBranch(id, branch);
    }
    const told = branchesFirst(changes, branch ?? repository.defaultBranch);
    // A limit of refs, not of moves: the newest move of a ref is the last one.
    const refs = [...new Set(told.map(({ ref }) => ref))];
    const sent = new Set(refs.slice(0, maxWebhooksPerPush));
    if (refs.length > sent.size)
      log.warn("webhooks-left-out", { repository: id, refs: refs.length, sent: sent.size });
    return deliveries.announce(
      id,
      changes,
      told.filter(({ ref }) => sent.has(ref)),
    );
  }

  function inTurn<T>(id: number, work: () => Promise<T>): Promise<T> {
    const turn = (last.get(id) ?? Promise.resolve()).then(work);
    // Whoever asked hears of a failure; those behind come all the same.
    const end = turn
      .catch(() => {})
      .finally(() => {
        if (last.get(id) === end) last.delete(id);
      });
    last.set(id, end);
    return turn;
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
