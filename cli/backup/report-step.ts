import { formatDuration } from "#sdk/duration.ts";

export type Step = <T>(
  name: string,
  work: () => Promise<T>,
  describe: (done: T) => string,
) => Promise<T>;

/** Do a step and say its name, what came of it and how long it took; a failure speaks for itself. */
export function createStep(say: (text: string) => void): Step {
  return async (name, work, describe) => {
    const began = performance.now();
    const done = await work();
    say(`${name.padEnd(9)} ${describe(done)}  (${formatDuration(performance.now() - began)})`);
    return done;
  };
}
