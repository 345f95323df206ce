import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where programs are looked for when no PATH is given. */
export const STANDARD_PATH =
  "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/opt/homebrew/bin";

/** The path of an executable on a PATH. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Absent or not ours to run: either way it is not the program.
    return false;
  }
}
