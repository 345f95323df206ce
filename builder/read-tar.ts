import { Transform } from "node:stream";
import { describe, errorCode, HttpError } from "#sdk/errors.ts";

/** Pass bytes on until there are more than `limit`. */
export function limitBytes(limit: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      seen += chunk.byteLength;
      // Headers and padding come on top of the files.
      if (seen <= limit * 1.1 + 1024 * 1024) return done(null, chunk);
      return done(
        new HttpError(422, "bad-context", `The build context is larger than ${limit} bytes.`),
      );
    },
  });
}

/** All bytes of one entry. */
export async function collectEntry(entry: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Failures of our own disk stay what they are; the rest is the sender's tar. */
export function toRefusal(error: unknown): unknown {
  if (error instanceof HttpError || isOurs(errorCode(error))) return error;
  return new HttpError(
    400,
    "bad-tar",
    `The build context is not a whole tar: ${describe(error)}.`,
    {
      cause: error,
    },
  );
}

/** Two kinds of streams meet here, and each has its own word for an end that came too early. */
function isOurs(code: string | undefined): boolean {
  return code !== undefined && !/^(ERR_STREAM_PREMATURE|STREAM_DESTROYED)/.test(code);
}
