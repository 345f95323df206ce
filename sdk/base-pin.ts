import { z } from "zod";

const SHA256 = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** What a base image's name stands for, for one build. */
export const BASE_PIN = z.discriminatedUnion("kind", [
  /** Manifest that the name is replaced by, on any machine. */
  z.object({ kind: z.literal("digest"), digest: SHA256 }),
  /** Image of this machine's store that no registry gave; it is built on by its name. */
  z.object({ kind: z.literal("local"), imageId: SHA256 }),
  /** The name alone, and why it is not more. */
  z.object({ kind: z.literal("tag"), reason: z.string() }),
]);
export type BasePin = z.infer<typeof BASE_PIN>;

/** By reference as `FROM` names it: `node:24-alpine`. */
export const BASE_PINS = z.record(z.string(), BASE_PIN);
export type BasePins = Readonly<Record<string, BasePin>>;

/** Resolves with one pin for each reference; rejects with 503 while nobody can say. */
export type PinBases = (references: readonly string[]) => Promise<BasePins>;

/** What of a pin decides an image: nothing where the name alone does. */
export function digestOfPin(pin: BasePin): string {
  switch (pin.kind) {
    case "digest":
      return pin.digest;
    case "local":
      return pin.imageId;
    case "tag":
      return "";
  }
}
