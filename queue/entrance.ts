import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/** Jobs a second from which on they come faster than builds could follow. */
const FLOOD = 60;
/** Share of the event loop's time from which on who is served goes before who works. */
const BUSY = 0.7;
/** Time over which the share is taken, in milliseconds. */
const WINDOW_MS = 25;
/** Longest wait of one job, in milliseconds: work goes on, whatever comes in. */
const LIMIT_MS = 500;

export type Entrance = {
  /** A job was accepted. */
  arrived(): void;
  /** Resolves when a job may begin, in the order of the calls. */
  begin(signal: AbortSignal): Promise<void>;
};

/**
 * Let jobs begin at once, but in a flood of them only when the event loop has time: requests that the same
 * process answers, the flood's own webhooks first of all, would wait behind the work.
 */
export function createEntrance(): Entrance {
  let second = { at: performance.now(), jobs: 0, before: 0 };
  let seen = { at: performance.now(), loop: performance.eventLoopUtilization(), share: 0 };
  let line: Promise<void> = Promise.resolve();

  return {
    arrived() {
      roll();
      second.jobs += 1;
    },
    begin(signal) {
      const deadline = performance.now() + LIMIT_MS;
      line = line.then(() => admit(deadline, signal));
      return line;
    },
  };

  async function admit(deadline: number, signal: AbortSignal): Promise<void> {
    if (!isFlood()) return;
    look();
    if (seen.share <= BUSY) return;
    while (seen.share > BUSY && performance.now() < deadline && !signal.aborted) {
      await sleep(WINDOW_MS);
      look();
    }
    // What this one brings is to be seen before the next.
    seen.share = 1;
  }

  function isFlood(): boolean {
    roll();
    return Math.max(second.jobs, second.before) > FLOOD;
  }

  function roll(): void {
    const now = performance.now();
    if (now - second.at < 1_000) return;
    second = { at: now, jobs: 0, before: now - second.at < 2_000 ? second.jobs : 0 };
  }

  function look(): void {
    const now = performance.now();
    if (now - seen.at < WINDOW_MS) return;
    const loop = performance.eventLoopUtilization();
    seen = { at: now, loop, share: performance.eventLoopUtilization(loop, seen.loop).utilization };
  }
}
