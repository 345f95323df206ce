import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

/** What a small push needs at least, in bytes. */
const PROBE_BYTES = 64 * 1024;

/**
 * Why a push could not be kept in this folder now, as a sentence without its end, or `undefined`. It is tried:
 * a disk that has failed still says that it may be written to.
 */
export function whyNotWritable(folder: string): string | undefined {
  try {
    // Always the same file, left empty: a crash leaves nothing else.
    const file = openSync(join(folder, "probe"), "w", 0o600);
    try {
      writeSync(file, Buffer.alloc(PROBE_BYTES));
    } finally {
      ftruncateSync(file);
      closeSync(file);
    }
    return undefined;
  } catch (error) {
    const why = REASONS[errorCode(error) ?? ""] ?? `cannot be written to (${errorCode(error)})`;
    return `Nothing was taken: the platform's disk ${why}; tell its operator and push again later`;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "is full",
  EDQUOT: "is full",
  EROFS: "has become read-only",
};
