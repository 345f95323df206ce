import { createHash, timingSafeEqual } from "node:crypto";
import { HttpError } from "#sdk/errors.ts";

export type Credentials = { readonly user: string; readonly password: string };

/** A check that throws 401 unless the request carries these credentials; without any it passes all. */
export function createBasicAuth(credentials: Credentials | undefined): (request: Request) => void {
  if (credentials === undefined) return () => {};
  const { user, password } = credentials;
  const expected = digest(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`);
  return (request) => {
    const given = digest(request.headers.get("authorization") ?? "");
    if (timingSafeEqual(given, expected)) return;
    throw new HttpError(401, "unauthorized", "invalid credentials");
  };
}

/** Of equal length whatever the text, so that the comparison tells nothing. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
