import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { HttpError } from "#sdk/errors.ts";

/** How far clocks and retries may drift before a signature is refused, in milliseconds. */
export const SIGNATURE_WINDOW_MS = 5 * 60_000;
/** Headers that travel under the signature; an absent one signs as empty. */
const SIGNED_HEADERS = ["x-content-key", "x-owner-id", "x-callback-url"] as const;

/** A payload key and the id receivers pick it by; ids let keys rotate. */
export type PayloadKey = { readonly id: string; readonly secret: string };

export type SignedCall = {
  readonly method: string;
  /** The delivered path with its query: `/function/git-tar`. */
  readonly path: string;
  /** Asked for in lower case. */
  readonly headers: Pick<Headers, "get">;
};

/** `sha256:<hex>` of a body, the usual `X-Content-Key`; a streamed body names its build key instead. */
export function contentKeyOf(body: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(body).digest("hex")}`;
}

/**
 * `v1;kid=…;t=<unix ms>;n=<nonce>;sig=<hex>`: HMAC-SHA256 over method, delivered path, content key,
 * named headers, time and nonce (design.md section 5). Set `X-Content-Key` before signing.
 */
export function signCall(call: SignedCall, key: PayloadKey, now = Date.now()): string {
  const nonce = randomBytes(12).toString("hex");
  return `v1;kid=${key.id};t=${now};n=${nonce};sig=${mac(call, key.secret, String(now), nonce)}`;
}

/** Throw 401 unless `X-Cloud-Signature` fits this call, is fresh, and its nonce was not seen. */
export function verifyCall(
  call: SignedCall,
  keys: readonly PayloadKey[],
  nonces: NonceMemory,
  now = Date.now(),
): void {
  const header = call.headers.get("x-cloud-signature") ?? "";
  const match = /^v1;kid=([\w-]{1,40});t=(\d{1,16});n=([0-9a-f]{24});sig=([0-9a-f]{64})$/.exec(
    header,
  );
  if (match === null)
    throw refuse("X-Cloud-Signature is missing or not of the form v1;kid=…;t=…;n=…;sig=…");
  const [, kid = "", time = "", nonce = "", signature = ""] = match;
  const key = keys.find(({ id }) => id === kid);
  if (key === undefined)
    throw refuse(`X-Cloud-Signature names key "${kid}", which is not known here`);
  const expected = mac(call, key.secret, time, nonce);
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(expected)))
    throw refuse("X-Cloud-Signature does not match");
  if (Math.abs(now - Number(time)) > SIGNATURE_WINDOW_MS)
    throw refuse("X-Cloud-Signature is too old or from the future");
  if (!nonces.remember(nonce, now)) throw refuse("X-Cloud-Signature was used before");
}

/** Throw 401 unless the body is the one whose digest was signed. */
export function verifyContent(body: Uint8Array, headers: Headers): void {
  if (contentKeyOf(body) !== headers.get("x-content-key"))
    throw refuse("X-Content-Key is not the digest of the body");
}

export type NonceMemory = {
  /** False when the nonce was seen within the window. */
  remember(nonce: string, now: number): boolean;
};

/** Nonces of the last window; forgets older ones as new ones come. */
export function createNonceMemory(): NonceMemory {
  const seen = new Map<string, number>();
  return {
    remember(nonce, now) {
      for (const [old, at] of seen) {
        if (now - at <= 2 * SIGNATURE_WINDOW_MS) break;
        seen.delete(old);
      }
      if (seen.has(nonce)) return false;
      seen.set(nonce, now);
      return true;
    },
  };
}

function mac(call: SignedCall, secret: string, time: string, nonce: string): string {
  const named = SIGNED_HEADERS.map((name) => `${name}:${call.headers.get(name) ?? ""}`);
  const text = ["v1", call.method.toUpperCase(), call.path, ...named, time, nonce].join("\n");
  return createHmac("sha256", secret).update(text).digest("hex");
}

function refuse(why: string): HttpError {
  return new HttpError(401, "bad-signature", `${why}.`);
}
