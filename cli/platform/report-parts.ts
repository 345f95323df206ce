import { formatDuration } from "#sdk/duration.ts";

export type Reporter = <T>(
  name: string,
  start: () => Promise<T>,
  describe: (started: T) => string,
) => Promise<T>;

/** Start a part and say its name, what was chosen and how long it took; a failure names the part. */
export function createReporter(say: (text: string) => void): Reporter {
  return async (name, start, describe) => {
    const began = performance.now();
    try {
      const started = await start();
      say(`${name.padEnd(9)} ${describe(started)}  (${formatDuration(performance.now() - began)})`);
      return started;
    } catch (error) {
      throw new Error(name, { cause: error });
    }
  };
}
