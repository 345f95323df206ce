import { HttpError } from "#sdk/errors.ts";

/** The largest payload GitHub delivers: 25 MiB (spec/threats.md section 1). */
export const BODY_LIMIT_BYTES = 25 * 1024 * 1024;

/** The bytes as they came; 413 past the limit, whatever was announced, and 408 when they come too slowly. */
export async function readBody(
  request: Request,
  timeoutMs: number,
  limitBytes = BODY_LIMIT_BYTES,
): Promise<Buffer<ArrayBuffer>> {
  if (Number(request.headers.get("content-length") ?? 0) > limitBytes) throw tooLarge(limitBytes);
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = request.body?.getReader();
  if (reader === undefined) return Buffer.alloc(0);

  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    reader.cancel().catch(() => undefined); // The sender is gone already; nobody is left to tell.
  }, timeoutMs);
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      size += read.value.length;
      if (size > limitBytes) throw tooLarge(limitBytes);
      chunks.push(read.value);
    }
    if (late) throw tooSlow(timeoutMs);
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(deadline);
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
