import { z } from "zod";
import type { BuildLine } from "#sdk/messages.ts";

const LINE: z.ZodType<BuildLine> = z.object({
  log: z.array(z.string()).exactOptional(),
  image: z.string().exactOptional(),
  status: z.enum(["in_progress", "success", "failed"]),
  error: z.string().exactOptional(),
  retryable: z.boolean().exactOptional(),
  duration: z.number().exactOptional(),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .exactOptional(),
  sizeBytes: z.number().exactOptional(),
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
    for (const part of parts) if (part !== "") yield parseLine(part);
    refuseLong(rest);
  }
  if (rest !== "") yield parseLine(rest);
}

function parseLine(text: string): BuildLine {
  refuseLong(text);
  const parsed = LINE.safeParse(toJson(text));
  if (parsed.success) return parsed.data;
  throw new Error(`a line of the builder cannot be read: ${JSON.stringify(text.slice(0, 200))}`);
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Like any other value that is not a line.
    return undefined;
  }
}

function refuseLong(text: string): void {
  if (text.length > LINE_LIMIT)
    throw new Error(`a line of the builder is longer than ${LINE_LIMIT} characters`);
}
