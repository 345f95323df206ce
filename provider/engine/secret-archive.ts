import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeDurably } from "#sdk/durable-file.ts";
import { errorCode } from "#sdk/errors.ts";

/** Values that secrets had before, by name and id. Callers take turns, but for `has` and `read`. */
export type SecretArchive = {
  has(name: string, id: string): boolean;
  /** `undefined` when it is not kept. */
  read(name: string, id: string): Promise<Uint8Array | undefined>;
  keep(name: string, id: string, value: Uint8Array): Promise<void>;
  /** All values of one secret. */
  forget(name: string): Promise<void>;
  /** Those that nobody uses. */
  sweep(isUsed: (id: string) => boolean): Promise<void>;
};

/** A 0600 file for each value, `<folder>/<name>/<id>`. */
export async function openSecretArchive(folder: string): Promise<SecretArchive> {
  const kept = new Map<string, Set<string>>();
  for (const name of await readdir(folder)) kept.set(name, await readIds(join(folder, name)));

  return {
    has,
    async read(name, id) {
      if (!has(name, id)) return undefined;
      return readFile(join(folder, name, id)).catch((error: unknown) => {
        // Forgotten meanwhile.
        if (errorCode(error) === "ENOENT") return undefined;
        throw error;
      });
    },
    async keep(name, id, value) {
      if (has(name, id)) return;
      await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
      await syncFolder(folder);
      await writeDurably(join(folder, name, id), value);
      kept.set(name, (kept.get(name) ?? new Set()).add(id));
    },
    forget,
    async sweep(isUsed) {
      for (const [name, ids] of [...kept]) {
        const unused = [...ids].filter((id) => !isUsed(id));
        if (unused.length === ids.size) await forget(name);
        else if (unused.length > 0) await removeValues(name, ids, unused);
      }
    },
  };

  function has(name: string, id: string): boolean {
    return kept.get(name)?.has(id) ?? false;
  }

  /** Nobody finds them from here on; what a crash leaves on the disk is there again for another try. */
  async function forget(name: string): Promise<void> {
    kept.delete(name);
    await rm(join(folder, name), { recursive: true, force: true });
    await syncFolder(folder);
  }

  async function removeValues(
    name: string,
    ids: Set<string>,
    unused: readonly string[],
  ): Promise<void> {
    for (const id of unused) ids.delete(id);
    for (const id of unused) await rm(join(folder, name, id), { force: true });
    await syncFolder(join(folder, name));
  }
}

/** What an interrupted platform has half written is removed. */
async function readIds(folder: string): Promise<Set<string>> {
  const files = await readdir(folder);
  for (const file of files.filter((one) => one.endsWith(".tmp"))) await rm(join(folder, file));
  return new Set(files.filter((one) => !one.endsWith(".tmp")));
}
