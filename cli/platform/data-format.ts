import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeDurably } from "#sdk/durable-file.ts";
import { readIfThere } from "#sdk/read-if-there.ts";
import { snapshotDatabase } from "../backup/snapshot-database.ts";

/** Take a data folder one format further. It may run twice: a crash can come before the new format is noted. */
export type FormatStep = (path: string) => Promise<void>;

/** How the layout of the data folder has changed so far. The databases in it bring themselves forward. */
export type Formats = {
  /** Version that this release reads and writes. */
  readonly newest: number;
  /** The first one takes format 1 to 2. Append only; one fewer than `newest`. */
  readonly steps: readonly FormatStep[];
};

export const FORMATS: Formats = { newest: 1, steps: [] };

/** `undefined` in a new folder. */
export async function readFormat(path: string): Promise<number | undefined> {
  const file = join(path, "format");
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const found = Number(text.trim());
  if (!Number.isInteger(found) || found < 1)
    throw new Error(`${file} holds ${JSON.stringify(text.trim())}; expected a whole number.`);
  return found;
}

/**
 * Take a folder of an older format to the newest one, step by step; each is noted on disk once it is done.
 * Before the first, the databases are copied to `before-format-<n>/`. A newer format is refused.
 */
export async function bringForward(path: string, found: number, formats: Formats): Promise<void> {
  const { newest, steps } = formats;
  if (found > newest) {
    throw new Error(
      `${path} has format ${found}, made by a newer release; this one reads up to ${newest}. Upgrade, or use another --data.`,
    );
  }
  if (found < newest) await keepDatabases(path, join(path, `before-format-${found + 1}`));
  for (let format = found; format < newest; format += 1) {
    const step = steps[format - 1];
    if (step === undefined) throw new Error(`No step leads from format ${format} to the next.`);
    await step(path);
    await writeDurably(join(path, "format"), `${format + 1}\n`, 0o644);
  }
}

/** The copy of an earlier try is from before its first step too, so it is the one to keep. */
async function keepDatabases(path: string, home: string): Promise<void> {
  if ((await readFormat(home)) !== undefined) return;
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { mode: 0o700 });
  await snapshotDatabase(join(path, "ledger.db"), join(home, "ledger.db"));
  await snapshotDatabase(join(path, "git/forge.db"), join(home, "forge.db"));
  await syncFolder(home);
  // Written last, so that it says that the copy is whole.
  await writeDurably(join(home, "format"), await readFile(join(path, "format")));
  await syncFolder(path);
}
