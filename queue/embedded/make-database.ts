import { cpSync } from "node:fs";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";

/**
 * A database with BullMQ's tables that nobody used yet, made once by the launcher beside the packages whose
 * version it has.
 */
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
  // A thousand small files: the asynchronous copy takes three times as long.
  if (blank !== undefined && (await isDatabase(blank))) cpSync(blank, part, { recursive: true });
  else await makeNew(part);
  await rm(folder, { recursive: true, force: true });
  await rename(part, folder);
}

async function makeNew(folder: string): Promise<void> {
  // Whoever finds a database has no use for it.
  const { migrate } = await import("./migrate.ts");
  const database = await PGlite.create({ dataDir: folder });
  await migrate({
    async query<R>(text: string, values?: readonly unknown[]) {
      // Only what has no values may be several statements.
      if (values !== undefined) return { rows: (await database.query<R>(text, [...values])).rows };
      return { rows: ((await database.exec(text)).at(-1)?.rows ?? []) as R[] };
    },
  });
  await database.close();
}

/** A blank one that somebody else made may not be readable: then it is not there. */
function isDatabase(folder: string): Promise<boolean> {
  return access(join(folder, "PG_VERSION")).then(
    () => true,
    () => false,
  );
}
