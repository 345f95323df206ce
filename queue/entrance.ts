import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/** Share of the event loop's time from which on who is served goes before who works. */
const BUSY = 0.7;
/** Time over which the share is taken, in milliseconds. */
const WINDOW_MS = 25;
/** Longest wait of one job, in milliseconds: work goes on, whatever comes in. */
const LIMIT_MS = 100;
/** Jobs that wait here; the others wait in the store, where owners take turns. */
const WAITING_MOST = 2;

export type Entrance = {
  /** Resolves when a job may begin. */
  begin(signal: AbortSignal): Promise<void>;
  /** A job that began has ended. */
  end(): void;
  /** Say now, and whenever it changes, how many jobs there is room for, running ones included. */
  onRoom(tell: (room: number) => void): void;
};

/**
 * Let work that nobody waits for begin when the event loop has time for it, `most` at once: requests that the
 * same process answers, webhooks first of all, would wait behind it. After a quiet time it begins at once.
 */
export function createEntrance(most: number): Entrance {
  let seen = performance.eventLoopUtilization();
  let seenAt = performance.now();
  let share = 0;
  let line: Promise<void> = Promise.resolve();
  let running = 0;
  let tell: (room: number) => void = () => {};

  return {
    async begin(signal) {
      const deadline = performance.now() + LIMIT_MS;
      line = line.then(() => admit(deadline, signal));
      await line;
      count(1);
    },
    end: () => count(-1),
    onRoom(listener) {
      tell = listener;
      count(0);
    },
  };

  function count(change: number): void {
    running += change;
    tell(Math.min(most, running + WAITING_MOST));
  }

  async function admit(deadline: number, signal: AbortSignal): Promise<void> {
    look();
    if (share <= BUSY) return;
    while (share > BUSY && performance.now() < deadline && !signal.aborted) {
      await sleep(WINDOW_MS);
      look();
    }
    // What this one brings is to be seen before the next.
    share = 1;
  }

  function look(): void {
    const now = performance.now();
    if (now - seenAt < WINDOW_MS) return;
    const current = performance.eventLoopUtilization();
    share = performance.eventLoopUtilization(current, seen).utilization;
    seen = current;
    seenAt = now;
  }
}
