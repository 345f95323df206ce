import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";

/** Read one secret file, trimmed. An absent or empty one is an error that names the file. */
export async function readSecret(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Error(
      `Secret ${name} cannot be read (${errorCode(error) ?? "unknown error"}): ${path}`,
    );
  });
  const value = text.trim();
  if (value === "") throw new Error(`Secret ${name} is empty: ${path}`);
  return value;
}
