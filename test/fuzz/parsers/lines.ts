import { parseBuildLines } from "../../../functions/buildshiprun/parse-build-lines.ts";
import { type Parser, promise } from "../parser.ts";

/** What a builder answers: lines of JSON, cut into chunks at every U+0001. */
export const lines: Parser = {
  dictionary: [
    '{"log":["a"],"status":"in_progress"}\n',
    '{"status":"success","digest":"sha256:',
    ...'"status":|"failed"|"error":|"sizeBytes":|"duration":|"retryable":|null|-1|1e999|[|]|{|}|,|"|\n|\r\n|\u0001|\\u0000|\\ud800|é'.split(
      "|",
    ),
    "0".repeat(64),
  ],
  async read(input) {
    const chunks: Uint8Array[] = [];
    let start = 0;
    for (let end = input.indexOf(1); end >= 0; end = input.indexOf(1, start)) {
      chunks.push(input.subarray(start, end));
      start = end + 1;
    }
    chunks.push(input.subarray(start));
    let count = 0;
    try {
      for await (const line of parseBuildLines(ReadableStream.from(chunks))) {
        promise(["in_progress", "success", "failed"].includes(line.status), "a line has a status");
        if (line.digest !== undefined)
          promise(/^sha256:[0-9a-f]{64}$/.test(line.digest), "a digest is one");
        count += 1;
      }
      return `${Math.min(count, 4)} lines`;
    } catch (error) {
      if (!(error instanceof Error) || !/^a line of the builder /.test(error.message)) throw error;
      return `refused after ${Math.min(count, 4)}`;
    }
  },
};
