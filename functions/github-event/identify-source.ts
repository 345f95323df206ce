import { createHmac, timingSafeEqual } from "node:crypto";
import type { Scm } from "#ledger/types/owner.ts";
import { HttpError } from "#sdk/errors.ts";

/** Somebody who sends webhooks; the secret that fits a delivery says who sent it. */
export type Source = { readonly scm: Scm; readonly webhookSecret: string };

/**
 * Whose secret signed these very bytes; 401 when nobody's did. Every source is tried and compared in
 * constant time, so the answer takes as long whoever sent it.
 */
export function identifySource(
  body: Uint8Array,
  headers: Headers,
  sources: readonly Source[],
  sha1Allowed: boolean,
): Scm {
  const { algorithm, digest } = readSignature(headers, sha1Allowed);
  let found: Scm | undefined;
  for (const { scm, webhookSecret } of sources) {
    const expected = createHmac(algorithm, webhookSecret).update(body).digest();
    if (timingSafeEqual(expected, digest)) found = scm;
  }
  if (found === undefined)
    throw refuse("The signature does not match the body; check the webhook secret.");
  return found;
}

/** Throw unless there is a source and every secret can keep strangers out (CVE-2026-41896). */
export function requireSecrets(sources: readonly Source[]): void {
  if (sources.length === 0)
    throw new Error("No webhook source is configured; github-event would refuse everything.");
  for (const { scm, webhookSecret } of sources) {
    if (webhookSecret.trim() === "")
      throw new Error(`The webhook secret of ${scm} is empty; anybody could sign with it.`);
  }
  const secrets = new Set(sources.map(({ webhookSecret }) => webhookSecret));
  if (secrets.size < sources.length)
    throw new Error("Two webhook sources share a secret; who sent a delivery could not be told.");
}

function readSignature(headers: Headers, sha1Allowed: boolean) {
  const sha256 = headers.get("x-hub-signature-256");
  const sha1 = headers.get("x-hub-signature");
  if (sha256 === null && sha1 !== null && sha1Allowed) {
    if (!/^sha1=[0-9a-f]{40}$/.test(sha1))
      throw refuse('X-Hub-Signature must be "sha1=" and 40 lower-case hex digits.');
    return { algorithm: "sha1", digest: Buffer.from(sha1.slice(5), "hex") };
  }
  if (sha256 === null || !/^sha256=[0-9a-f]{64}$/.test(sha256))
    throw refuse('X-Hub-Signature-256 must be "sha256=" and 64 lower-case hex digits.');
  return { algorithm: "sha256", digest: Buffer.from(sha256.slice(7), "hex") };
}

function refuse(why: string): HttpError {
  return new HttpError(401, "bad-signature", why);
}
