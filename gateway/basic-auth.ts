import { createHash, timingSafeEqual } from "node:crypto";

export type BasicAuth = {
  /** Whether an `Authorization` header names this user and password; takes the same time for any wrong one. */
  accepts(header: string | undefined): boolean;
  /** The header that signs in to the provider. */
  readonly header: string;
};

export function createBasicAuth(user: string, password: string): BasicAuth {
  const expectedUser = digest(user);
  const expectedPassword = digest(password);
  return {
    header: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
    accepts(header) {
      const match = /^basic +([a-z0-9+/=]+)$/i.exec(header ?? "");
      const text = Buffer.from(match?.[1] ?? "", "base64").toString("utf8");
      const colon = text.indexOf(":");
      const isUser = timingSafeEqual(digest(text.slice(0, Math.max(colon, 0))), expectedUser);
      const isPassword = timingSafeEqual(digest(text.slice(colon + 1)), expectedPassword);
      return colon >= 0 && isUser && isPassword;
    },
  };
}

/** Equal lengths, whatever was typed. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
