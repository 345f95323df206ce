import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import type { Archive } from "./write-archive.ts";

export type Tally = {
  /** Paths that were not in the archive before. */
  added: number;
  /** Paths that were listed, and gone when they were to be read. */
  vanished: number;
};

/** Whether to leave a path out; `path` is relative to the data folder. */
export type Skip = (path: string) => boolean;

/** What an interrupted write leaves beside the files of our own. */
export const isTemporary: Skip = (path) => path.endsWith(".tmp");

/** Add a folder and everything below it that is not there yet, folders first; absent is fine. */
export async function addTree(
  archive: Archive,
  dataFolder: string,
  path: string,
  skip: Skip = () => false,
): Promise<Tally> {
  const tally = { added: 0, vanished: 0 };
  await addPath(path);
  return tally;

  async function addPath(one: string): Promise<void> {
    const names = await namesIn(join(dataFolder, one));
    if (!archive.has(one)) {
      if (await archive.add(join(dataFolder, one), one)) tally.added += 1;
      else tally.vanished += 1;
    }
    for (const entry of names) {
      const below = `${one}/${entry.name}`;
      if (skip(below)) continue;
      if (entry.isDirectory()) await addPath(below);
      else await addLeaf(below);
    }
  }

  async function addLeaf(one: string): Promise<void> {
    if (archive.has(one)) return;
    if (await archive.add(join(dataFolder, one), one)) tally.added += 1;
    else tally.vanished += 1;
  }
}

async function namesIn(folder: string): Promise<readonly Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return [];
    throw error;
  });
}
