import { timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { HttpError } from "#sdk/errors.ts";
import { type NonceMemory, type PayloadKey, verifyCall } from "#sdk/internal-signature.ts";
import type { SpoolBody } from "./spool-body.ts";

/** A build whose sender is known; `body` is its tar, unread. */
export type ReceivedBuild = {
  readonly body: Readable;
  /** From the signed `X-Owner-Id`; absent when an operator's faas-cli sent the build. */
  readonly ownerId: string | undefined;
};

export type ReceiveTools = {
  readonly keys: readonly PayloadKey[];
  readonly nonces: NonceMemory;
  readonly spoolBody: SpoolBody;
};

/**
 * Verify who sends a build, before anything of it is acted on. The platform signs the call and names the
 * build key, so its body streams; faas-cli signs the body, which is spooled to `spool` first.
 * Throws 401, and what SpoolBody throws.
 */
export async function receiveBuild(
  request: Request,
  spool: string,
  { keys, nonces, spoolBody }: ReceiveTools,
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
  const digests = await spoolBody(request.body, spool, keys, request.signal);
  if (!digests.some((digest) => equal(signature, `sha256=${digest}`))) {
    await rm(spool, { force: true });
    throw new HttpError(401, "bad-signature", "X-Build-Signature does not match the body.");
  }
  return { body: createReadStream(spool), ownerId: undefined };
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
