import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

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

/** A git of a killed platform may just be removing its own. */
async function below(
  folder: string,
  top: string,
  isStale: (name: string) => boolean,
): Promise<string[]> {
  const entries = await readdir(join(folder, top), { withFileTypes: true }).catch((error) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(top, entry.name);
    if (isStale(entry.name)) found.push(path);
    else if (entry.isDirectory()) found.push(...(await below(folder, path, isStale)));
  }
  return found;
}
