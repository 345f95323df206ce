import type { z } from "zod";
import { GithubError, unprocessable } from "./github-error.ts";

/** Check-run texts end at 64 KiB each; nothing here needs more. */
const LIMIT_BYTES = 512 * 1024;

/** Parse a JSON body; 400, 413 or 422 name what is wrong. An empty body is `{}`. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(request);
  const result = schema.safeParse(parseJson(text));
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join(".") || "body"}: ${message}`,
  );
  throw unprocessable(...problems.slice(0, 10));
}

async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > LIMIT_BYTES)
      throw new GithubError(413, `The body is larger than ${LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new GithubError(400, "Problems parsing JSON");
  }
}
