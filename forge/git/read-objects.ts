import type { Git } from "./git.ts";
import { isRefName } from "./read-refs.ts";

export type GitObject = {
  readonly sha: string;
  readonly type: string;
  readonly size: number;
  /** Empty when only the size was asked for. */
  readonly content: Buffer;
};

/** Objects by expressions made here, in one process; `undefined` where there is none. */
export async function readObjects(
  git: Git,
  folder: string,
  names: readonly string[],
): Promise<(GitObject | undefined)[]> {
  const output = await git.run(folder, ["cat-file", "--batch"], { input: toLines(names) });
  let at = 0;
  return names.map(() => {
    const end = output.indexOf(10, at);
    const head = parseHead(output.subarray(at, end).toString());
    at = end + 1;
    if (head === undefined) return undefined;
    const content = output.subarray(at, at + head.size);
    at += head.size + 1;
    return { ...head, content };
  });
}

/** Kind and size of objects, without their content. */
export async function checkObjects(
  git: Git,
  folder: string,
  names: readonly string[],
): Promise<(GitObject | undefined)[]> {
  const output = await git.run(folder, ["cat-file", "--batch-check"], { input: toLines(names) });
  const lines = output.toString().split("\n");
  return names.map((_, index) => {
    const head = parseHead(lines[index] ?? "");
    return head && { ...head, content: Buffer.alloc(0) };
  });
}

/** What "main", "heads/main", "v1" or an id may mean, the likeliest first. Empty when git could not name it. */
export function expressionsOf(ref: string): string[] {
  if (/^[0-9a-f]{40}$/.test(ref)) return [ref];
  if (!isRefName(ref)) return [];
  if (ref === "HEAD" || ref.startsWith("refs/")) return [ref];
  const named = [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`];
  return /^[0-9a-f]{7,39}$/.test(ref) ? [...named, ref] : named;
}

/** One expression a line; a line break in one would be another question. */
function toLines(names: readonly string[]): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  if (names.some((name) => /[\x00\n]/.test(name))) throw new Error("A name holds a line break.");
  return `${names.join("\n")}\n`;
}

function parseHead(line: string): Omit<GitObject, "content"> | undefined {
  const match = /^([0-9a-f]{40}) (\w+) (\d+)$/.exec(line);
  const [, sha = "", type = "", size = ""] = match ?? [];
  return match === null ? undefined : { sha, type, size: Number(size) };
}
