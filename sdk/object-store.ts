import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "#sdk/durable-file.ts";
import { errorCode, HttpError } from "#sdk/errors.ts";

/** Blobs by key: `<owner id>/<repository id>/<build id>/<name>`; a key never leaves its prefix. */
export type ObjectStore = {
  /** Durable when it resolves; replaces what was there. */
  put(key: string, data: string | Uint8Array): Promise<void>;
  get(key: string): Promise<Buffer | undefined>;
  /** Names directly below a prefix, sorted; empty when there is none. */
  list(prefix: string): Promise<string[]>;
  /** Remove an object or everything below a prefix; nothing there is fine. */
  remove(keyOrPrefix: string): Promise<void>;
};

/** Objects as files below `root`, which is made on first use. */
export function createFileObjects(root: string): ObjectStore {
  const pathOf = (key: string): string => join(root, ...segmentsOf(key));

  return {
    put: (key, data) => writeDurably(pathOf(key), data),
    get: (key) => unlessAbsent(readFile(pathOf(key)), undefined),
    async list(prefix) {
      const names = await unlessAbsent(readdir(pathOf(prefix)), []);
      return names.filter((name) => !name.endsWith(".tmp")).sort();
    },
    remove: (keyOrPrefix) => rm(pathOf(keyOrPrefix), { recursive: true, force: true }),
  };
}

/** The parts of a key, or 400: letters, digits and `._:-`, none of them beginning with a dot. */
function segmentsOf(key: string): string[] {
  const segments = key.split("/");
  const wrong = segments.find((segment) => !/^[\w:-][\w.:-]{0,127}$/.test(segment));
  if (wrong === undefined) return segments;
  throw new HttpError(
    400,
    "bad-key",
    `Object key part ${JSON.stringify(wrong.slice(0, 40))} must be 1-128 letters, digits, "_", "-", ":" or inner ".".`,
  );
}

async function unlessAbsent<T, A>(read: Promise<T>, absent: A): Promise<T | A> {
  return read.catch((error: unknown) => {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(errorCode(error) ?? "")) return absent;
    throw error;
  });
}
