import { createHash, randomBytes } from "node:crypto";

/** 256 random bits behind a prefix that secret scanners can recognise: `ofc_…`. */
export function newToken(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString("base64url")}`;
}

/** What is stored of a token. It is as random as the hash is long, so no salt or stretching is needed. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
