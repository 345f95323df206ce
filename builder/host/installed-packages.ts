import { randomUUID } from "node:crypto";
import {
  link,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
} from "node:fs/promises";
import { join, relative } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import { mapAtMost } from "./measure-tree.ts";

/** Installed packages of one owner, by what they were installed from. Files are shared as hard links. */
export type InstalledPackages = {
  /** False when they are not there. */
  restore(key: string, target: string): Promise<boolean>;
  keep(key: string, source: string): Promise<void>;
};

/** Sets kept for an owner; the longest unused goes first. */
const KEPT = 8;
const LINKED_AT_ONCE = 16;
/** Older ones belong to no build that still runs. */
const STALE_MS = 60 * 60_000;

export function createInstalledPackages(folder: string): InstalledPackages {
  return {
    async restore(key, target) {
      try {
        const now = new Date();
        await utimes(join(folder, key), now, now);
        await linkTree(join(folder, key), target);
        return true;
      } catch (error) {
        // Never kept, or pruned by another build just now.
        if (errorCode(error) !== "ENOENT") throw error;
        await rm(target, { recursive: true, force: true });
        return false;
      }
    },

    async keep(key, source) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const half = join(folder, `${key}.${randomUUID()}`);
      await linkTree(source, half);
      try {
        await rename(half, join(folder, key));
      } catch (error) {
        await rm(half, { recursive: true, force: true });
        // Another build of the same packages was faster.
        if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
      }
      await prune(folder);
    },
  };
}

async function linkTree(source: string, target: string): Promise<void> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  await mkdir(target, { recursive: true });
  const named = entries.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return { entry, path, copy: join(target, relative(source, path)) };
  });
  // The listing names a folder before what is in it.
  for (const { entry, copy } of named) if (entry.isDirectory()) await mkdir(copy);
  const leaves = named.filter(({ entry }) => !entry.isDirectory());
  await mapAtMost(LINKED_AT_ONCE, leaves, async ({ entry, path, copy }) => {
    if (entry.isSymbolicLink()) await symlink(await readlink(path), copy);
    else await link(path, copy);
  });
}

async function prune(folder: string): Promise<void> {
  const names = await readdir(folder);
  const found = await Promise.all(
    names.map(async (name) => ({ name, usedAt: await usedAt(join(folder, name)) })),
  );
  const whole = found.filter(({ name }) => !name.includes("."));
  const unused = whole.sort((a, b) => b.usedAt - a.usedAt).slice(KEPT);
  const stale = found.filter(
    ({ name, usedAt }) => name.includes(".") && Date.now() - usedAt > STALE_MS,
  );
  for (const { name } of [...unused, ...stale])
    await rm(join(folder, name), { recursive: true, force: true });
}

/** 0 when it went in the meantime. */
async function usedAt(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return 0;
      throw error;
    },
  );
}
