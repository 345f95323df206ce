import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "#sdk/durable-file.ts";
import { lockDataFolder, RESTORING } from "../platform/data-folder.ts";
import { FORMATS } from "../platform/data-format.ts";
import type { BackupHeader } from "./backup-format.ts";
import { createStep } from "./report-step.ts";
import { unpackArchive } from "./unpack-archive.ts";

export type RestoreOptions = {
  /** Empty or absent. */
  readonly dataFolder: string;
  readonly file: string;
  /** One line for people. */
  readonly say: (text: string) => void;
};

export type RestoreReport = BackupHeader & {
  readonly dataFolder: string;
  readonly entries: number;
};

/** Beside what a restore brings: the lock's own files, and what a file system makes in its root. */
const NOT_DATA = new Set(["lock", "lock-journal", "lost+found"]);

/**
 * Make a data folder from a backup. Nothing of it is in place before all of it was compared with the
 * manifest; after a crash the platform refuses the folder, and another restore begins anew.
 */
export async function restore({ dataFolder, file, say }: RestoreOptions): Promise<RestoreReport> {
  const step = createStep(say);
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const unlock = lockDataFolder(dataFolder);
  try {
    await refuseFilled(dataFolder);
    const staging = join(dataFolder, RESTORING);
    await mkdir(staging, { mode: 0o700 });
    await syncFolder(dataFolder);
    const { header, entries } = await step(
      "unpack",
      () => unpackArchive(file, staging, FORMATS.newest),
      (unpacked) => `${unpacked.entries.length} entries, each as the manifest says`,
    ).catch(async (error: unknown) => {
      await rm(staging, { recursive: true, force: true });
      throw error;
    });
    await step(
      "place",
      () => putInPlace(dataFolder, staging, entries),
      () => dataFolder,
    );
    return { ...header, dataFolder, entries: entries.length };
  } finally {
    unlock();
  }
}

/** What an unfinished restore left is not data: the folder was empty before. */
async function refuseFilled(dataFolder: string): Promise<void> {
  const names = (await readdir(dataFolder)).filter((name) => !NOT_DATA.has(name));
  if (names.length > 0 && !names.includes(RESTORING))
    throw new Error(
      `${dataFolder} is not empty (${names.slice(0, 3).join(", ")} …); restore into another folder with --data DIR, or move this one away.`,
    );
  // The mark goes last.
  for (const name of names.filter((one) => one !== RESTORING))
    await rm(join(dataFolder, name), { recursive: true, force: true });
  await rm(join(dataFolder, RESTORING), { recursive: true, force: true });
}

async function putInPlace(
  dataFolder: string,
  staging: string,
  entries: readonly { readonly kind: string; readonly path: string }[],
): Promise<void> {
  const folders = new Set(entries.map(({ path }) => dirname(join(staging, path))));
  for (const folder of [...folders, staging]) await syncFolder(folder);
  for (const name of await readdir(staging))
    await rename(join(staging, name), join(dataFolder, name));
  await syncFolder(dataFolder);
  await rmdir(staging);
  await syncFolder(dataFolder);
}
