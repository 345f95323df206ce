import { lstat, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import { dropMirror } from "../../functions/git-tar/drop-mirror.ts";
import type { Evictable } from "./decide-garbage.ts";

export type Cache = Evictable & { readonly drop: () => Promise<void> };

/**
 * Mirrors, package caches of builds, and build logs but for those of `keptBuilds`, with their sizes.
 * Repositories of the forge are nobody's cache.
 */
export async function findCaches(
  dataFolder: string,
  keptBuilds: ReadonlySet<string>,
): Promise<readonly Cache[]> {
  const [mirrors, packages, logs] = await Promise.all([
    foldersAt(join(dataFolder, "git/mirrors"), 2),
    foldersAt(join(dataFolder, "builder/cache"), 1),
    foldersAt(join(dataFolder, "objects/v1"), 3),
  ]);
  const isOld = (path: string) => !keptBuilds.has(path.slice(path.lastIndexOf("/") + 1));
  const caches: Cache[] = [];
  // One after another: this is never urgent, and invocations share the disk.
  for (const path of mirrors.filter((one) => one.endsWith(".git")))
    caches.push({ ...(await measure(path)), drop: () => dropMirror(path) });
  for (const path of [...packages, ...logs.filter(isOld)])
    caches.push({ ...(await measure(path)), drop: () => dropFolder(path) });
  return caches;
}

/** Paths `depth` levels below a folder. */
async function foldersAt(folder: string, depth: number): Promise<readonly string[]> {
  if (depth === 0) return [folder];
  const below = await entriesOf(folder);
  const folders = below.filter((entry) => entry.isDirectory());
  const paths = folders.map(({ name }) => foldersAt(join(folder, name), depth - 1));
  return (await Promise.all(paths)).flat();
}

async function measure(path: string): Promise<Evictable> {
  let [bytes, usedAt] = [0, 0];
  await visit(path);
  return { path, bytes, usedAt };

  async function visit(one: string): Promise<void> {
    const found = await lstat(one).catch(undefinedWhenGone);
    if (found === undefined) return;
    bytes += found.blocks * 512;
    usedAt = Math.max(usedAt, found.mtimeMs);
    if (found.isDirectory())
      for (const { name } of await entriesOf(one)) await visit(join(one, name));
  }
}

/** Renamed first, so that half of it is never taken for the whole. */
async function dropFolder(path: string): Promise<void> {
  const doomed = `${path}.removed`;
  await rm(doomed, { recursive: true, force: true });
  await rename(path, doomed);
  await rm(doomed, { recursive: true, force: true });
}

async function entriesOf(folder: string) {
  return (await readdir(folder, { withFileTypes: true }).catch(undefinedWhenGone)) ?? [];
}

function undefinedWhenGone(error: unknown): undefined {
  if (errorCode(error) === "ENOENT") return undefined;
  throw error;
}
