import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const project = join(import.meta.dirname, "../..");

export type SourceFile = { readonly file: string; readonly text: string };

/** Every file of ours that matches: tracked, or new and not ignored. Without examples and templates, unless asked for. */
export async function readSources(
  patterns: readonly string[] = ["*.ts"],
  apart: RegExp = /^(templates|examples)\//,
): Promise<readonly SourceFile[]> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  const { stdout } = await run("git", [...args, "--", ...patterns], { cwd: project });
  const files = stdout.split("\0").filter((file) => file !== "" && !apart.test(file));
  const read = await Promise.all(
    files.map(async (file) => ({ file, text: await readText(join(project, file)) })),
  );
  return read.flatMap(({ file, text }) => (text === undefined ? [] : [{ file, text }]));
}

/** `undefined` for a file that Git still lists and that was removed. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
