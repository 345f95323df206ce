import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Git } from "./git.ts";

export type Ref = {
  readonly name: string;
  readonly sha: string;
  /** `commit`, or `tag` for an annotated tag. */
  readonly type: string;
};

/** Forty zeros: the ref was not there before, or is not there after. */
export const NO_SHA = "0".repeat(40);

/** Refs at or below `prefixes`, by name. A prefix without a trailing slash ends at a whole name. */
export async function readRefs(
  git: Git,
  folder: string,
  prefixes: readonly string[] = ["refs/heads/", "refs/tags/"],
): Promise<Ref[]> {
  const output = await git.run(folder, [
    "for-each-ref",
    "--format=%(objectname) %(objecttype) %(refname)",
    ...prefixes,
  ]);
  return (
    output
      .toString()
      .split("\n")
      // A name that is no UTF-8 cannot be told in JSON; git keeps the ref, nobody hears of it.
      .filter((line) => line !== "" && !line.includes("\ufffd"))
      .map((line) => {
        const [sha = "", type = "", name = ""] = line.split(" ");
        return { sha, type, name };
      })
  );
}

/**
 * One ref by its whole, checked name. A branch that was pushed since git packed refs is a file of its own, and
 * always of a commit; each build asks for one, and a process would cost it several milliseconds.
 */
export async function readRef(git: Git, folder: string, name: string): Promise<Ref | undefined> {
  const loose = name.startsWith("refs/heads/") ? await readLoose(folder, name) : undefined;
  if (loose !== undefined) return { name, sha: loose, type: "commit" };
  return (await readRefs(git, folder, [name])).find((ref) => ref.name === name);
}

/** Anything but a file with an id is git's to read. */
async function readLoose(folder: string, name: string): Promise<string | undefined> {
  const text = await readFile(join(folder, name), "utf8").catch(() => "");
  return /^[0-9a-f]{40}\n$/.test(text) ? text.trim() : undefined;
}

/** What git accepts as the name of a ref (git-check-ref-format); nothing else reaches a git program. */
export function isRefName(name: string): boolean {
  return (
    name.length <= 1_000 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses exactly these
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$|^-|^@$/.test(name) &&
    name.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"))
  );
}
