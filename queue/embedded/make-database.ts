import { access, cp, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";

/** A database that nobody used yet, made once by the launcher beside the packages whose version it has. */
export const BLANK_DATABASE = fileURLToPath(
  new URL("../../node_modules/.ofc-postgres", import.meta.url),
);

/**
 * Make the database's folder when it is not there: a copy of `blank`, or made anew where that is missing, which
 * takes seconds. Whole or not at all, whenever this process is killed.
 */
export async function makeDatabase(folder: string, blank?: string): Promise<void> {
  if (await isDatabase(folder)) return;
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(dirname(part), { recursive: true, mode: 0o700 });
  if (blank !== undefined && (await isDatabase(blank))) await cp(blank, part, { recursive: true });
  else await (await PGlite.create({ dataDir: part })).close();
  await rm(folder, { recursive: true, force: true });
  await rename(part, folder);
}

/** A blank one that somebody else made may not be readable: then it is not there. */
function isDatabase(folder: string): Promise<boolean> {
  return access(join(folder, "PG_VERSION")).then(
    () => true,
    () => false,
  );
}
