import { FetchError } from "./fetch-error.ts";
import type { MirrorOptions } from "./mirror.ts";
import { markBroken } from "./mirror-folder.ts";
import { startGit } from "./run-git.ts";

/** One file, link or submodule of a commit. */
export type TreeEntry = {
  /** From the repository's root; U+FFFD stands for bytes that are not UTF-8. */
  readonly path: string;
  readonly kind: "file" | "executable" | "link" | "submodule";
  /** 40 hex digits: the blob, or the submodule's commit. */
  readonly id: string;
  readonly sizeBytes: number;
};

const KINDS: Readonly<Record<string, TreeEntry["kind"]>> = {
  "100644": "file",
  "100664": "file",
  "100755": "executable",
  "120000": "link",
  "160000": "submodule",
};
const LINE = /^(\d{6}) (?:blob|commit) ([0-9a-f]{40}) +(\d+|-)\t(.+)$/s;
const NUL = 0;

/** Every file of a commit, in git's order. Throws FetchError `too-large` beyond `limits.files`. */
export async function listTree(
  { folder, environment, limits }: MirrorOptions,
  sha: string,
  signal: AbortSignal,
): Promise<readonly TreeEntry[]> {
  const args = ["ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", sha];
  const git = startGit({ folder, environment, signal, args });
  git.stdin.end();
  const entries: TreeEntry[] = [];
  try {
    for await (const line of splitAtNul(git.stdout)) {
      if (entries.length >= limits.files)
        throw new FetchError("too-large", `the commit holds more than ${limits.files} files`);
      entries.push(parseLine(line));
    }
  } catch (error) {
    git.kill();
    throw error;
  }
  const { code, stderr } = await git.ended;
  signal.throwIfAborted();
  if (code !== 0) {
    await markBroken(folder);
    throw new FetchError("broken", "the commit's tree cannot be read", {
      cause: new Error(stderr),
    });
  }
  return entries;
}

async function* splitAtNul(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const data = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = data.indexOf(NUL); end >= 0; end = data.indexOf(NUL, start)) {
      yield data.toString("utf8", start, end);
      start = end + 1;
    }
    rest = data.subarray(start);
  }
}

function parseLine(line: string): TreeEntry {
  const [, mode = "", id = "", size = "", path = ""] = LINE.exec(line) ?? [];
  const kind = KINDS[mode];
  if (kind === undefined)
    throw new FetchError("broken", `git lists an unknown entry: ${line.slice(0, 80)}`);
  return { path, kind, id, sizeBytes: size === "-" ? 0 : Number(size) };
}
