import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { addTree, type Skip } from "./add-tree.ts";
import type { Archive } from "./write-archive.ts";

const HOME = "git/forge";
/** Looks at a repository that never stops being packed anew. */
const ROUNDS_LIMIT = 50;

/**
 * Add the forge's repositories while pushes go on. Refs come first, so that every object they name is
 * there when the objects are read; of refs, loose ones before packed ones, the way git moves them.
 */
export async function addRepositories(archive: Archive, dataFolder: string): Promise<number> {
  const names = (await readdir(join(dataFolder, HOME))).filter((name) => /^\d+\.git$/.test(name));
  if (!archive.has(HOME)) await archive.add(join(dataFolder, HOME), HOME);
  for (const name of names) {
    const path = `${HOME}/${name}`;
    await archive.add(join(dataFolder, path), path);
    await addTree(archive, dataFolder, `${path}/refs`, (ref) => ref.endsWith(".lock"));
    await addTree(archive, dataFolder, path, isObjectOrUnfinished(path));
    await addObjects(archive, dataFolder, `${path}/objects`);
  }
  return names.length;
}

function isObjectOrUnfinished(path: string): Skip {
  return (one) =>
    one === `${path}/objects` || one === `${path}/refs` || /\.(lock|tmp|pid)$/.test(one);
}

/**
 * git writes a new pack before it removes what is in it: when a look finds nothing new and nothing gone,
 * every object that was there at the first look is in the archive, under its old or its new name.
 */
async function addObjects(archive: Archive, dataFolder: string, path: string): Promise<void> {
  const isUnfinished: Skip = (one) => /\/(tmp_|incoming-)[^/]*$|\.(lock|tmp)$/.test(one);
  const isUnfinishedOrPack: Skip = (one) => one === `${path}/pack` || isUnfinished(one);
  for (let round = 0; round < ROUNDS_LIMIT; round += 1) {
    const loose = await addTree(archive, dataFolder, path, isUnfinishedOrPack);
    const packs = await addTree(archive, dataFolder, `${path}/pack`, isUnfinished);
    if (loose.added + loose.vanished + packs.added + packs.vanished === 0) return;
  }
  throw new Error(`${path} is packed anew all the time; run the backup again.`);
}
