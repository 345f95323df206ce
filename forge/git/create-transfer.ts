import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { ForgeSettings } from "../settings.ts";
import type { RefChange } from "../store/deliveries.ts";
import type { Repository } from "../store/repositories.ts";
import type { User } from "../store/users.ts";
import { callBackend } from "./backend.ts";
import { makeBareRepository, repositoryFolder } from "./bare-repository.ts";
import type { Git } from "./git.ts";
import { refuse } from "./git-answers.ts";
import { asksForAbilities, keepAbilities } from "./keep-abilities.ts";
import type { GitPath } from "./parse-git-path.ts";

export type TransferTools = {
  readonly git: Git;
  /** Folder of all repositories. */
  readonly root: string;
  readonly settings: Pick<
    ForgeSettings,
    "maxPushBytes" | "transferIdleMs" | "transferLimitMs" | "maxTransfersPerOwner"
  >;
  /** The refs moved; resolves when the pusher has seen all there is to see. */
  readonly onPushed: (
    repository: Repository,
    changes: readonly RefChange[],
    write: (line: string) => void,
    signal: AbortSignal,
  ) => Promise<void>;
  /** The push's process ended; `heard` is false when its hook said nothing, though refs may have moved. */
  readonly onPushEnded: (repository: Repository, heard: boolean) => Promise<void>;
  readonly log: Log;
};

/** What a push says about refs before its pack; git limits the pack itself. */
const COMMANDS_BYTES = 64 * 1024 * 1024;
/** How long transfers may go on after the forge was told to stop. */
const DRAIN_MS = 3_000;

/** Fetches and pushes, each a `git http-backend` of its own. */
export function createTransfer(tools: TransferTools) {
  const { git, root, settings, log } = tools;
  /** First pushers are told, then what still runs is ended. */
  const stopping = new AbortController();
  const ending = new AbortController();
  /** Under way, by the owner's id. */
  const running = new Map<number, number>();
  const unfinished = new Set<Promise<void>>();
  const processes = new Set<Promise<void>>();
  const answerAbilities = keepAbilities();
  return { transfer, serveEmpty, close };

  async function transfer(
    request: Request,
    path: GitPath,
    repository: Repository,
  ): Promise<Response> {
    const { owner } = repository;
    const busy = running.get(owner.id) ?? 0;
    if (busy >= settings.maxTransfersPerOwner || stopping.signal.aborted) {
      return refuse(
        503,
        `${owner.login} has ${busy} transfers under way, which is the limit; try again when one has ended.`,
      );
    }
    await makeBareRepository(repositoryFolder(root, repository.id));
    if (path.action === "git-receive-pack") return receive(request, path, repository);
    const ask = () => call(request, path, repository.id, owner, {});
    return asksForAbilities(request, path) ? answerAbilities(ask) : ask();
  }

  /** Refs of the empty repository that every first push compares with. */
  async function serveEmpty(request: Request, owner: User): Promise<Response> {
    await makeBareRepository(repositoryFolder(root, 0));
    return call(request, { owner: owner.login, name: "", action: "info/refs" }, 0, owner, {});
  }

  function receive(request: Request, path: GitPath, repository: Repository): Promise<Response> {
    const gone = new AbortController();
    let heard = false;
    return call(request, path, repository.id, repository.owner, {
      onGone: () => gone.abort(),
      onChannel: (channel) => {
        readChanges(channel, (changes) => {
          heard = true;
          track(tell(repository, changes, channel, gone.signal));
        });
      },
      onEnd: () => track(tools.onPushEnded(repository, heard)),
    });
  }

  async function tell(
    repository: Repository,
    changes: readonly RefChange[],
    channel: Duplex,
    gone: AbortSignal,
  ): Promise<void> {
    const write = (line: string) => {
      if (channel.writable) channel.write(`${line}\n`);
    };
    try {
      const signal = AbortSignal.any([gone, stopping.signal]);
      await tools.onPushed(repository, changes, write, signal);
      if (stopping.signal.aborted)
        write("The platform is stopping; the build goes on when it is back.");
    } catch (error) {
      write("The platform could not tell what becomes of this push; see its log.");
      throw error;
    } finally {
      channel.end();
    }
  }

  function call(
    request: Request,
    path: GitPath,
    id: number,
    owner: User,
    push: {
      readonly onChannel?: (channel: Duplex) => void;
      readonly onGone?: () => void;
      readonly onEnd?: () => void;
    },
  ): Promise<Response> {
    running.set(owner.id, (running.get(owner.id) ?? 0) + 1);
    const ended = Promise.withResolvers<void>();
    processes.add(ended.promise);
    return callBackend(git, {
      ...push,
      root,
      path: `/${id}.git/${path.action}`,
      request,
      user: owner.login,
      idleMs: settings.transferIdleMs,
      limitBytes: settings.maxPushBytes + COMMANDS_BYTES,
      limitMs: settings.transferLimitMs,
      signal: ending.signal,
      onEnd: () => {
        leave(owner);
        push.onEnd?.();
        processes.delete(ended.promise);
        ended.resolve();
      },
    });
  }

  function leave(owner: User): void {
    const left = (running.get(owner.id) ?? 1) - 1;
    if (left === 0) running.delete(owner.id);
    else running.set(owner.id, left);
  }

  function track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => log.error("push-not-told", { error: describe(error) }))
      .finally(() => unfinished.delete(tracked));
    unfinished.add(tracked);
  }

  /** Tell pushers, let transfers end for a moment, end the rest, and wait until all is recorded. */
  async function close(): Promise<void> {
    stopping.abort();
    const cut = setTimeout(() => ending.abort(), DRAIN_MS);
    await Promise.all(processes);
    clearTimeout(cut);
    await Promise.all(unfinished);
  }
}

/** Lines `<old> <new> <ref>` up to a dot. */
function readChanges(channel: Duplex, done: (changes: RefChange[]) => void): void {
  const changes: RefChange[] = [];
  const lines = createInterface({ input: channel, crlfDelay: Number.POSITIVE_INFINITY });
  // The hook's end may vanish with its pusher, or be killed; what was heard until then counts.
  for (const end of [channel, lines]) end.on("error", () => {});
  lines.on("line", (line) => {
    const [before, after, ref] = line.split(" ");
    if (line === ".") done(changes);
    else if (before !== undefined && after !== undefined && ref !== undefined)
      changes.push({ before, after, ref });
  });
}
