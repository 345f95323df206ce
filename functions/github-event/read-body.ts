import { HttpError } from "#sdk/errors.ts";
import { readBounded } from "#sdk/read-bounded.ts";

/** The largest payload GitHub delivers: 25 MiB (spec/threats.md section 1). */
export const BODY_LIMIT_BYTES = 25 * 1024 * 1024;

/** The bytes as they came; 413 past the limit, whatever was announced, and 408 when they come too slowly. */
export async function readBody(
  request: Request,
  timeoutMs: number,
  limitBytes = BODY_LIMIT_BYTES,
): Promise<Buffer<ArrayBuffer>> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(tooSlow(timeoutMs)), timeoutMs);
  try {
    return await readBounded(request, { limitBytes, tooLarge, signal: deadline.signal });
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge(limitBytes: number): HttpError {
  return new HttpError(413, "body-too-large", `A delivery holds at most ${limitBytes} bytes.`);
}

function tooSlow(timeoutMs: number): HttpError {
  return new HttpError(
    408,
    "body-too-slow",
    `The body did not arrive within ${timeoutMs} ms (read_timeout).`,
  );
}
