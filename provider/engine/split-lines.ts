import { StringDecoder } from "node:string_decoder";

/** Longest line kept in one piece, in bytes of UTF-16 text; longer ones continue as further lines. */
const LINE_LIMIT = 64 * 1024;

export type LineSplitter = {
  push(chunk: Uint8Array): string[];
  /** The unfinished last line, if any. */
  end(): string[];
};

/** Turn a program's output into lines without their ends. */
export function createLineSplitter(limit = LINE_LIMIT): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let rest = "";

  return {
    push(chunk) {
      const lines = (rest + decoder.write(chunk)).split("\n");
      rest = lines.pop() ?? "";
      const complete = lines.flatMap((line) => cut(line.replace(/\r$/, ""), limit));
      while (rest.length > limit) {
        complete.push(rest.slice(0, limit));
        rest = rest.slice(limit);
      }
      return complete;
    },
    end() {
      const last = rest + decoder.end();
      rest = "";
      return last === "" ? [] : cut(last, limit);
    },
  };
}

function cut(line: string, limit: number): string[] {
  const pieces = Math.max(1, Math.ceil(line.length / limit));
  return Array.from({ length: pieces }, (_, index) =>
    line.slice(index * limit, (index + 1) * limit),
  );
}
