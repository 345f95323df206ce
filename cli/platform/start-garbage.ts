import { describe } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import type { Garbage } from "./collect-garbage.ts";
import type { Room } from "./make-room.ts";

/** How often the free space is looked at. */
const WATCH_MS = 10_000;

export type StartGarbageTools = {
  readonly garbage: Garbage;
  readonly room: Room;
  /** What functions and repositories leave behind that are gone. */
  readonly collectGone: readonly (() => Promise<unknown>)[];
  /** Between two rounds. */
  readonly intervalMs: number;
  readonly watchMs?: number;
  readonly log: Log;
};

/** Collect now and every interval, and between that when the disk is short; the returned function stops it. */
export function startGarbage({
  garbage,
  room,
  collectGone,
  intervalMs,
  watchMs = WATCH_MS,
  log,
}: StartGarbageTools): () => void {
  const round = [
    garbage.pruneLedger,
    garbage.collectArtifacts,
    garbage.collectCaches,
    ...collectGone,
    room.makeRoom,
  ];
  let busy = false;
  let running = run(round);
  const rounds = setInterval(() => {
    running = running.then(() => run(round));
  }, intervalMs);
  const watch = setInterval(() => {
    if (!busy) running = run([room.makeRoomIfShort]);
  }, watchMs);
  return () => {
    clearInterval(rounds);
    clearInterval(watch);
  };

  /** One work after the other; one that fails is done again in the next round. */
  async function run(works: readonly (() => Promise<unknown>)[]): Promise<void> {
    busy = true;
    for (const work of works)
      await work().catch((error: unknown) =>
        log.warn("garbage-not-collected", { error: describe(error) }),
      );
    busy = false;
  }
}
