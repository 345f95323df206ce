import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

export type Measured = {
  /** As the disk has them, in whole blocks. */
  readonly bytes: number;
  /** When the newest of it was last written, Unix milliseconds; 0 when nothing is there. */
  readonly usedAt: number;
};

/** Everything at and below a path. One entry after another: it is never urgent, and invocations share the disk. */
export async function measureFolder(path: string): Promise<Measured> {
  let [bytes, usedAt] = [0, 0];
  await visit(path);
  return { bytes, usedAt };

  async function visit(one: string): Promise<void> {
    const found = await lstat(one).catch(undefinedWhenGone);
    if (found === undefined) return;
    bytes += found.blocks * 512;
    usedAt = Math.max(usedAt, found.mtimeMs);
    if (found.isDirectory())
      for (const { name } of await entriesOf(one)) await visit(join(one, name));
  }
}

/** Empty for a folder that is not there. */
export async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  return (await readdir(folder, { withFileTypes: true }).catch(undefinedWhenGone)) ?? [];
}

function undefinedWhenGone(error: unknown): undefined {
  if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
  throw error;
}
