import { randomUUID } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import { readersGone } from "./folder-use.ts";

const KEPT = "refs/kept";
const BROKEN = "broken";
/** Tells this process' discarded mirrors from those of earlier ones. */
const RUN = randomUUID().slice(0, 8);

/** The ref a fetched commit is kept under; it is written last, so it says that the commit is complete. */
export function keptRef(sha: string): string {
  return `${KEPT}/${sha}`;
}

/** Whether the commit was fetched completely and no reader found the mirror broken since. */
export async function hasCommit(folder: string, sha: string): Promise<boolean> {
  const ref = await readFile(join(folder, keptRef(sha)), "utf8").catch(emptyWhenAbsent);
  return ref.trim() === sha && !(await isBroken(folder));
}

export async function exists(folder: string): Promise<boolean> {
  return (await readFile(join(folder, "HEAD"), "utf8").catch(emptyWhenAbsent)) !== "";
}

export async function isBroken(folder: string): Promise<boolean> {
  return access(join(folder, BROKEN)).then(
    () => true,
    () => false,
  );
}

/** Have the next fetch start from nothing. */
export async function markBroken(folder: string): Promise<void> {
  await writeFile(join(folder, BROKEN), "").catch(emptyWhenAbsent);
}

/** Remove what a killed git left behind; only called when no other git writes here. */
export async function removeStale(folder: string): Promise<void> {
  const places: readonly (readonly [string, RegExp])[] = [
    [folder, /\.lock$/],
    [join(folder, KEPT), /\.lock$/],
    [join(folder, "objects/pack"), /^(tmp_|.*\.keep$)/],
  ];
  await Promise.all(
    places.map(async ([place, pattern]) => {
      const stale = (await names(place)).filter((name) => pattern.test(name));
      await Promise.all(stale.map((name) => rm(join(place, name), { force: true })));
    }),
  );
}

export async function countKept(folder: string): Promise<number> {
  return (await names(join(folder, KEPT))).length;
}

/** Bytes of the packs, unfinished ones included; every fetch ends in a pack (`fetch.unpackLimit` is 1). */
export async function packBytes(folder: string): Promise<number> {
  const packs = join(folder, "objects/pack");
  const sizes = (await names(packs)).map(async (name) =>
    stat(join(packs, name)).then(
      ({ size }) => size,
      // git renames its temporary files while we look.
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Put an empty place where the mirror was. Who reads the old one may finish; then it is deleted. */
export async function resetMirror(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  await removeTrash(folder);
  const trash = `${folder}.old-${RUN}-${randomUUID()}`;
  await rename(folder, trash).catch(emptyWhenAbsent);
  // Nobody waits for this; what it cannot delete, the next run of the platform does.
  discard(folder, trash).catch(() => {});
}

async function discard(folder: string, trash: string): Promise<void> {
  await readersGone(folder);
  await rm(trash, { recursive: true, force: true });
}

/** What an earlier run of the platform had no time to delete. */
async function removeTrash(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.old-`;
  const old = (await names(dirname(folder))).filter(
    (name) => name.startsWith(prefix) && !name.startsWith(`${prefix}${RUN}`),
  );
  await Promise.all(
    old.map((name) => rm(join(dirname(folder), name), { recursive: true, force: true })),
  );
}

async function names(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
}

function emptyWhenAbsent(error: unknown): string {
  if (errorCode(error) === "ENOENT") return "";
  throw error;
}
