import type { LogLine } from "#provider/provider.ts";

/** Most lines that wait for a slow reader; then the oldest give way. */
const WAITING_LIMIT = 10_000;

export type LineQueue = {
  push(line: LogLine): void;
  /** Lines as they come, until the signal is aborted. */
  lines(): AsyncGenerator<LogLine>;
};

/** Hand lines from a writer to one reader that may be slower. */
export function createLineQueue(signal: AbortSignal): LineQueue {
  const waiting: LogLine[] = [];
  let dropped = 0;
  let wake = () => {};
  signal.addEventListener("abort", () => wake(), { once: true });

  return {
    push(line) {
      waiting.push(line);
      if (waiting.length > WAITING_LIMIT) {
        waiting.shift();
        dropped++;
      }
      wake();
    },
    async *lines() {
      while (!signal.aborted) {
        const line = waiting.shift();
        if (line === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (dropped > 0)
          yield { ...line, text: `[${dropped} lines left out: the reader is slower than the log]` };
        dropped = 0;
        yield line;
      }
    },
  };
}
