import { createHmac, timingSafeEqual } from "node:crypto";
import { HttpError } from "#sdk/errors.ts";

/** `sha256=` and 64 lower-case hex digits over the raw body, as GitHub sends it. */
export function signWebhook(body: Uint8Array, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}

/** Throw 401 unless `header` is the HMAC-SHA256 of the very bytes received. Compared in constant time. */
export function verifyWebhook(body: Uint8Array, header: string | null, secret: string): void {
  if (secret === "")
    throw new Error("The webhook secret is empty; refusing to verify anything with it.");
  if (header === null || !/^sha256=[0-9a-f]{64}$/.test(header)) {
    throw new HttpError(
      401,
      "bad-signature",
      'X-Hub-Signature-256 must be "sha256=" and 64 hex digits.',
    );
  }
  if (!timingSafeEqual(Buffer.from(header), Buffer.from(signWebhook(body, secret)))) {
    throw new HttpError(
      401,
      "bad-signature",
      "X-Hub-Signature-256 does not match the body; check the webhook secret.",
    );
  }
}
