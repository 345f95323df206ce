import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Locks and half-written files of git at the top of a bare repository. */
const TOP = new Set(["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "gc.pid"]);

/**
 * Remove what a git that was killed left locked or half written. Only while nothing runs in the repository:
 * at the start, when the data folder's lock proves it. Answers the paths.
 */
export async function removeStaleLocks(folder: string): Promise<readonly string[]> {
  const stale = [
    ...(await readdir(folder)).filter((name) => TOP.has(name)),
    ...(await below(folder, "refs", (name) => name.endsWith(".lock"))),
    ...(await below(folder, "objects", (name) => /^(tmp_|incoming-)/.test(name))),
  ];
  for (const path of stale) await rm(join(folder, path), { recursive: true, force: true });
  return stale;
}

async function below(folder: string, top: string, isStale: (name: string) => boolean) {
  const entries = await readdir(join(folder, top), { recursive: true });
  return entries
    .filter((path) => isStale(path.slice(path.lastIndexOf("/") + 1)))
    .map((path) => join(top, path));
}
