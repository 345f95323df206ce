import { createHmac, timingSafeEqual } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HttpError } from "#sdk/errors.ts";
import { type NonceMemory, type PayloadKey, verifyCall } from "#sdk/internal-signature.ts";

/** A build whose sender is known; `body` is its tar, unread. */
export type ReceivedBuild = {
  readonly body: Readable;
  /** From the signed `X-Owner-Id`; absent when an operator's faas-cli sent the build. */
  readonly ownerId: string | undefined;
};

export type ReceiveTools = {
  readonly keys: readonly PayloadKey[];
  readonly nonces: NonceMemory;
  readonly maxBytes: number;
};

/**
 * Verify who sends a build, before anything of it is acted on. The platform signs the call and names the
 * build key, so its body streams; faas-cli signs the body, which is spooled to `spool` first.
 * Throws 401 or 413.
 */
export async function receiveBuild(
  request: Request,
  spool: string,
  { keys, nonces, maxBytes }: ReceiveTools,
): Promise<ReceivedBuild> {
  if (request.body === null)
    throw new HttpError(400, "no-body", "POST a tar; see builder/README.md.");
  const signature = request.headers.get("x-build-signature");
  if (request.headers.has("x-cloud-signature") || signature === null) {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    verifyCall({ method, path: `${pathname}${search}`, headers }, keys, nonces);
    const ownerId = headers.get("x-owner-id") ?? undefined;
    return { body: Readable.fromWeb(request.body), ownerId };
  }
  const digests = await spoolBody(Readable.fromWeb(request.body), spool, keys, maxBytes);
  if (!digests.some((digest) => equal(signature, `sha256=${digest}`))) {
    await rm(spool, { force: true });
    throw new HttpError(401, "bad-signature", "X-Build-Signature does not match the body.");
  }
  return { body: createReadStream(spool), ownerId: undefined };
}

/** Write the body to disk and return its HMAC-SHA256 with each key. */
async function spoolBody(
  body: Readable,
  spool: string,
  keys: readonly PayloadKey[],
  maxBytes: number,
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
  await pipeline(body, measure, createWriteStream(spool, { flags: "wx", mode: 0o600 }));
  return macs.map((mac) => mac.digest("hex"));
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
