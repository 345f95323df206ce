/** Characters of a build log that are kept: fully escaped they still fit into a call of pipeline-log. */
const LIMIT = 650_000;

export type LogTail = {
  add(lines: readonly string[]): void;
  text(): string;
};

/** The last lines of a log; of one longer line its end. */
export function createLogTail(limit = LIMIT): LogTail {
  const kept: string[] = [];
  let size = 0;

  return {
    add(lines) {
      for (const line of lines) {
        kept.push(line);
        size += line.length + 1;
      }
      while (kept.length > 1 && size > limit) size -= (kept.shift() ?? "").length + 1;
    },
    text: () => kept.join("\n").slice(-limit).toWellFormed(),
  };
}
