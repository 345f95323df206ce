import type { z } from "zod";
import { HttpError } from "#sdk/errors.ts";
import { readBounded } from "#sdk/read-bounded.ts";

/** Largest body of a call, in bytes: a deployment with its variables, or a secret in base64. */
const LIMIT_BYTES = 2 * 1024 * 1024;

/** Read and parse a JSON body; throws 400 `invalid` that names the field, 413 when it is too long. */
export async function readBody<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  const body = await readBounded(request, { limitBytes: LIMIT_BYTES });
  const result = schema.safeParse(parseJson(body.toString("utf8")));
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.map(String).join(".") || "the body"}: ${message}`,
  );
  throw invalid(problems.slice(0, 5).join("; "));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid("Cannot parse request. Please pass valid JSON.");
  }
}

export function invalid(message: string): HttpError {
  return new HttpError(400, "invalid", message);
}
