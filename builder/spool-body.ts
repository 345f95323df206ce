import { createHmac } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { HttpError } from "#sdk/errors.ts";
import type { PayloadKey } from "#sdk/internal-signature.ts";

export type SpoolLimits = {
  readonly maxBytes: number;
  /** For the whole body. */
  readonly maxMs: number;
  /** Bodies at once, since nobody knows yet who sends them. */
  readonly maxSpools: number;
};

/** Writes a body to `file` and resolves with its HMAC-SHA256 with each key, in hex. Throws 400, 408, 413 or 429. */
export type SpoolBody = (
  body: ReadableStream,
  file: string,
  keys: readonly PayloadKey[],
  gone: AbortSignal,
) => Promise<string[]>;

export function createSpool({ maxBytes, maxMs, maxSpools }: SpoolLimits): SpoolBody {
  let running = 0;
  return async (body, file, keys, gone) => {
    if (running >= maxSpools)
      throw new HttpError(
        429,
        "builder-busy",
        `${maxSpools} builds are being received already; send this one again later.`,
      );
    const deadline = AbortSignal.timeout(maxMs);
    running += 1;
    try {
      return await write(body, file, keys, AbortSignal.any([gone, deadline]));
    } catch (error) {
      if (deadline.aborted)
        throw new HttpError(
          408,
          "slow-upload",
          `The build did not come within ${maxMs / 1_000} s.`,
        );
      if (gone.aborted)
        throw new HttpError(400, "broken-off", "The build broke off before its end.");
      throw error;
    } finally {
      running -= 1;
    }
  };

  async function write(
    body: ReadableStream,
    file: string,
    keys: readonly PayloadKey[],
    signal: AbortSignal,
  ): Promise<string[]> {
    const macs = keys.map(({ secret }) => createHmac("sha256", secret));
    let size = 0;
    const measure = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        size += chunk.byteLength;
        for (const mac of macs) mac.update(chunk);
        if (size <= maxBytes) return done(null, chunk);
        return done(new HttpError(413, "too-large", `A build is at most ${maxBytes} bytes.`));
      },
    });
    const to = createWriteStream(file, { flags: "wx", mode: 0o600 });
    await pipeline(Readable.fromWeb(body), measure, to, { signal });
    return macs.map((mac) => mac.digest("hex"));
  }
}
