import { HttpError } from "#sdk/errors.ts";
import type { BuildConfig } from "#sdk/messages.ts";

/** The signed header decides; a context that names somebody else was packed for somebody else (422). */
export function ownerOf({ ownerId }: BuildConfig, signed: string | undefined): string {
  if (signed !== undefined && ownerId !== undefined && signed !== ownerId)
    throw new HttpError(
      422,
      "wrong-owner",
      `The context is of owner "${ownerId}", the call of "${signed}".`,
    );
  return signed ?? ownerId ?? "";
}
