import type { z } from "zod";
import { readBounded } from "#sdk/read-bounded.ts";
import { GithubError, unprocessable } from "./github-error.ts";

/** Check-run texts end at 64 KiB each; nothing here needs more. */
const LIMIT_BYTES = 512 * 1024;

/** Parse a JSON body; 400, 413 or 422 name what is wrong. An empty body is `{}`. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const body = await readBounded(request, { limitBytes: LIMIT_BYTES, tooLarge });
  const result = schema.safeParse(parseJson(body.toString("utf8")));
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join(".") || "body"}: ${message}`,
  );
  throw unprocessable(...problems.slice(0, 10));
}

function tooLarge(limitBytes: number): GithubError {
  return new GithubError(413, `The body is larger than ${limitBytes} bytes`);
}

function parseJson(text: string): unknown {
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw new GithubError(400, "Problems parsing JSON");
  }
}
