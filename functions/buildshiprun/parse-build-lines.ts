import { z } from "zod";
import type { BuildLine } from "#sdk/messages.ts";

const LINE = z.object({
  log: z.array(z.string()).optional(),
  image: z.string().optional(),
  status: z.enum(["in_progress", "success", "failed"]),
  error: z.string().optional(),
  duration: z.number().optional(),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .optional(),
  sizeBytes: z.number().optional(),
});
/** Longest line that is read, in characters; the builder splits longer ones. */
const LINE_LIMIT = 256 * 1024;

/** The builder's NDJSON as lines, one object each; throws on anything else. */
export async function* parseBuildLines(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<BuildLine> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > LINE_LIMIT)
      throw new Error(`a line of the builder is longer than ${LINE_LIMIT} characters`);
    for (const part of parts) if (part !== "") yield LINE.parse(JSON.parse(part)) as BuildLine;
  }
  if (rest !== "") yield LINE.parse(JSON.parse(rest)) as BuildLine;
}
