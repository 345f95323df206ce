import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeDurably } from "#sdk/durable-file.ts";
import { errorCode } from "#sdk/errors.ts";

const CONFIG = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
const FOLDERS = ["objects/pack", "objects/info", "refs/heads", "refs/tags"];
const UNFINISHED = ".making-";

/** `<root>/<id>.git`; names of owners and repositories never become paths. */
export function repositoryFolder(root: string, id: number): string {
  return join(root, `${id}.git`);
}

/** Make an empty bare repository unless it is there; after a crash it is whole or absent. */
export async function makeBareRepository(folder: string): Promise<void> {
  if (await isThere(folder)) return;
  const parent = join(folder, "..");
  const unfinished = join(
    parent,
    `${UNFINISHED}${process.pid}-${Math.random().toString(36).slice(2)}`,
  );
  for (const name of FOLDERS) await mkdir(join(unfinished, name), { recursive: true, mode: 0o700 });
  await writeDurably(join(unfinished, "config"), CONFIG);
  await setHead(unfinished, "main");
  await rename(unfinished, folder).catch(async (error: unknown) => {
    // Another push made it first.
    if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
    await rm(unfinished, { recursive: true, force: true });
  });
  await syncFolder(parent);
}

/** Point HEAD at a branch; git has checked the branch's name. */
export async function setHead(folder: string, branch: string): Promise<void> {
  await writeDurably(join(folder, "HEAD"), `ref: refs/heads/${branch}\n`);
}

/** Remove what a crash left half-made. */
export async function removeUnfinished(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (name.startsWith(UNFINISHED)) await rm(join(root, name), { recursive: true, force: true });
  }
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    },
  );
}
