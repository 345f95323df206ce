import { HttpError } from "#sdk/errors.ts";

export type BuildSlots = {
  /** Throws 429 when no more may wait. */
  refuseWhenFull(): void;
  /**
   * Resolves with the function that gives the slot back. `moved` hears how many start before this one,
   * now and after each change. Rejects when `signal` aborts.
   */
  take(owner: string, signal: AbortSignal, moved: (before: number) => void): Promise<() => void>;
};

type Waiting = {
  readonly owner: string;
  readonly start: () => void;
  readonly moved: (before: number) => void;
};

/**
 * At most `concurrency` at once, of one owner at most `ownerConcurrency`; owners take turns, so a flood of
 * one moves another's by one build. Whoever may start has started: those who wait may not.
 */
export function createBuildSlots(
  concurrency: number,
  maxWaiting: number,
  ownerConcurrency = concurrency,
): BuildSlots {
  const running = new Map<string, number>();
  const lastStart = new Map<string, number>();
  let waiting: Waiting[] = [];
  let starts = 0;

  return {
    refuseWhenFull() {
      if (waiting.length < maxWaiting) return;
      const message = `${maxWaiting} builds wait already; send this one again later.`;
      throw new HttpError(429, "builder-busy", message);
    },

    async take(owner, signal, moved) {
      signal.throwIfAborted();
      if (mayStart(owner)) return begin(owner);
      await wait(owner, signal, moved);
      return release(owner);
    },
  };

  function wait(owner: string, signal: AbortSignal, moved: Waiting["moved"]): Promise<void> {
    return new Promise((resolve, reject) => {
      const one: Waiting = { owner, moved, start };
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.push(one);
      tellPositions();

      function start(): void {
        signal.removeEventListener("abort", giveUp);
        begin(owner);
        resolve();
      }
      function giveUp(): void {
        waiting = waiting.filter((other) => other !== one);
        tellPositions();
        reject(signal.reason);
      }
    });
  }

  function begin(owner: string): () => void {
    running.set(owner, (running.get(owner) ?? 0) + 1);
    lastStart.set(owner, ++starts);
    return release(owner);
  }

  function release(owner: string): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = (running.get(owner) ?? 1) - 1;
      if (left > 0) running.set(owner, left);
      else running.delete(owner);
      next();
    };
  }

  function next(): void {
    const one = inOrder().find(({ owner }) => mayStart(owner));
    if (one === undefined && running.size === 0) lastStart.clear();
    if (one === undefined) return;
    waiting = waiting.filter((other) => other !== one);
    one.start();
    tellPositions();
  }

  /** Each owner's first, then each owner's second …; within a round, fewest running, longest not served. */
  function inOrder(): Waiting[] {
    const rounds = new Map<string, number>();
    const ranked = waiting.map((one) => {
      const round = (rounds.get(one.owner) ?? running.get(one.owner) ?? 0) + 1;
      rounds.set(one.owner, round);
      return { one, round, last: lastStart.get(one.owner) ?? 0 };
    });
    return ranked.sort((a, b) => a.round - b.round || a.last - b.last).map(({ one }) => one);
  }

  function tellPositions(): void {
    for (const [before, one] of inOrder().entries()) one.moved(before);
  }

  function mayStart(owner: string): boolean {
    return busy() < concurrency && (running.get(owner) ?? 0) < ownerConcurrency;
  }

  function busy(): number {
    return [...running.values()].reduce((sum, count) => sum + count, 0);
  }
}
