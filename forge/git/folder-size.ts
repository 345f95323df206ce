import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

/** Bytes of all files below a folder; a file that vanishes meanwhile counts nothing. */
export async function folderSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(absent([]));
  let total = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    total += await stat(join(entry.parentPath, entry.name)).then(({ size }) => size, absent(0));
  }
  return total;
}

function absent<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (errorCode(error) === "ENOENT") return value;
    throw error;
  };
}
