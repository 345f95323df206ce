import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { folderSize } from "./folder-size.ts";
import type { Git } from "./git.ts";

/** Looks after repositories once their push is told: measures them, packs them now and then. */
export type Caretaker = {
  /** A push of this repository ended. */
  visit(repositoryId: number): void;
  /** Bytes on disk as of the last visit. */
  sizeOf(repositoryId: number): Promise<number>;
  /** Pack each of them, whether it seems to need it or not. */
  packAll(repositoryIds: readonly number[]): Promise<void>;
  close(): Promise<void>;
};

/** Pushes between two looks at whether there is something to pack. */
const PACK_EVERY = 25;
const PACK_TIMEOUT_MS = 10 * 60_000;

export function createCaretaker(
  git: Git,
  folderOf: (repositoryId: number) => string,
  log: Log,
): Caretaker {
  const sizes = new Map<number, number>();
  const visits = new Map<number, number>();
  const waiting = new Set<number>();
  const stopping = new AbortController();
  let working: Promise<void> | undefined;

  return {
    visit(repositoryId) {
      waiting.add(repositoryId);
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    sizeOf: async (repositoryId) => sizes.get(repositoryId) ?? measure(repositoryId),
    async packAll(repositoryIds) {
      for (const repositoryId of repositoryIds) await attempt(repositoryId, packAndMeasure);
    },
    async close() {
      stopping.abort();
      waiting.clear();
      await working;
    },
  };

  /** One repository at a time, so that pushes keep the machine. */
  async function work(): Promise<void> {
    for (const repositoryId of waiting) {
      waiting.delete(repositoryId);
      await attempt(repositoryId, care);
    }
  }

  async function attempt(
    repositoryId: number,
    act: (repositoryId: number) => Promise<void>,
  ): Promise<void> {
    await act(repositoryId).catch((error: unknown) => {
      if (!stopping.signal.aborted)
        log.warn("repository-not-packed", { repository: repositoryId, error: describe(error) });
    });
  }

  async function care(repositoryId: number): Promise<void> {
    const count = (visits.get(repositoryId) ?? 0) + 1;
    visits.set(repositoryId, count);
    if (count % PACK_EVERY === 0) await pack(repositoryId, ["--auto"]);
    await measure(repositoryId);
  }

  async function packAndMeasure(repositoryId: number): Promise<void> {
    await pack(repositoryId, []);
    await measure(repositoryId);
  }

  async function pack(repositoryId: number, options: readonly string[]): Promise<void> {
    await git.run(folderOf(repositoryId), ["gc", ...options, "--quiet"], {
      timeoutMs: PACK_TIMEOUT_MS,
      signal: stopping.signal,
    });
  }

  async function measure(repositoryId: number): Promise<number> {
    const size = await folderSize(folderOf(repositoryId));
    sizes.set(repositoryId, size);
    return size;
  }
}
