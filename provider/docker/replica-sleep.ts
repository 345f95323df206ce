import { setTimeout as sleep } from "node:timers/promises";
import { describe } from "#sdk/errors.ts";
import type { ReplicaSleep } from "../engine/runtime.ts";
import type { Container } from "./container.ts";

export type SleepTools = {
  readonly isAsleep: boolean;
  readonly container: Promise<Container>;
  /** How many are connected to it. */
  countConnections(): Promise<number>;
  /** `undefined` once it is healthy, else why it is not. */
  probe(): Promise<string | undefined>;
  /** Aborted when the replica is gone, or the platform lets go of it. */
  readonly gone: AbortSignal;
};

const LOOK_MS = 100;

/** Sleep is a paused container (design.md section 7): only one that nobody is connected to, upgraded sockets included. */
export function createReplicaSleep({
  isAsleep,
  container,
  countConnections,
  probe,
  gone,
}: SleepTools): ReplicaSleep {
  let isPaused = isAsleep;
  let woken = new AbortController();
  let falling: Promise<boolean> = Promise.resolve(false);

  return {
    isAsleep,
    fall(graceMs, limitMs) {
      woken = new AbortController();
      const signal = AbortSignal.any([woken.signal, gone]);
      falling = fall(signal, graceMs, limitMs).catch(() => false);
      return falling;
    },
    async wake() {
      woken.abort();
      await falling;
      try {
        if (isPaused) await unpause();
      } catch (error) {
        return `could not be woken: ${describe(error)}`;
      }
      return probe();
    },
  };

  async function fall(signal: AbortSignal, graceMs: number, limitMs: number): Promise<boolean> {
    const deadline = performance.now() + graceMs + limitMs;
    await sleep(graceMs, undefined, { signal });
    while (!signal.aborted && performance.now() < deadline) {
      if ((await countConnections()) === 0 && (await tryPause())) return true;
      await sleep(LOOK_MS, undefined, { signal });
    }
    return false;
  }

  /** Whoever connected in that very moment is let in. */
  async function tryPause(): Promise<boolean> {
    isPaused = true;
    await (await container).pause();
    if ((await countConnections()) === 0) return true;
    await unpause();
    return false;
  }

  async function unpause(): Promise<void> {
    await (await container).unpause();
    isPaused = false;
  }
}
