import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "corpus");

/** An input that is kept: one of ours by a name, one that was found by its digest. */
export type Kept = { readonly name: string; readonly input: Buffer };

/** All kept inputs of a parser, the shortest first. */
export async function readCorpus(parser: string): Promise<readonly Kept[]> {
  const names = await readdir(join(FOLDER, parser)).catch(() => []);
  const kept = await Promise.all(
    names.map(async (name) => ({ name, input: await readFile(join(FOLDER, parser, name)) })),
  );
  return kept.sort((a, b) => a.input.length - b.input.length || (a.name < b.name ? -1 : 1));
}

/** `found-` is kept as long as it reaches something, `finding-` for good. */
export async function keep(
  parser: string,
  prefix: "found" | "finding",
  input: Uint8Array,
): Promise<string> {
  const name = `${prefix}-${createHash("sha256").update(input).digest("hex").slice(0, 12)}`;
  await mkdir(join(FOLDER, parser), { recursive: true });
  await writeFile(join(FOLDER, parser, name), input);
  return name;
}

export async function drop(parser: string, name: string): Promise<void> {
  await rm(join(FOLDER, parser, name));
}
