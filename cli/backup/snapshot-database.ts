import { access, open } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";

/** A consistent copy, on disk and 0600, of a database that others may be writing; false when there is none. */
export async function snapshotDatabase(from: string, to: string): Promise<boolean> {
  const isThere = await access(from).then(
    () => true,
    () => false,
  );
  if (!isThere) return false;
  copy(from, to);
  await using file = await open(to, "r+");
  await file.chmod(0o600);
  await file.sync();
  return true;
}

function copy(from: string, to: string): void {
  const database = new DatabaseSync(from, { timeout: 10_000 });
  try {
    database.prepare("VACUUM INTO ?").run(to);
  } finally {
    database.close();
  }
}
