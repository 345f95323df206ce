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

/** What git accepts as the name of a ref (git-check-ref-format); nothing else reaches a git program. */
export function isRefName(name: string): boolean {
  return (
    name.length <= 1_000 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: git refuses exactly these
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$|^-|^@$/.test(name) &&
    name.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"))
  );
}
