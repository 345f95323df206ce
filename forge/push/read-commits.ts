import type { Git } from "../git/git.ts";
import { NO_SHA } from "../git/read-refs.ts";
import type { RefChange } from "../store/deliveries.ts";

type Person = { readonly name: string; readonly email: string };

export type Commit = {
  readonly id: string;
  readonly tree_id: string;
  readonly message: string;
  /** Of the committer, RFC 3339 with its offset. */
  readonly timestamp: string;
  readonly author: Person & { readonly date: string };
  readonly committer: Person & { readonly date: string };
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly modified: readonly string[];
};

/** What a push brought, oldest first; `head` is the commit the ref points at now. */
export type PushedCommits = {
  readonly commits: readonly Commit[];
  readonly head: Commit | null;
  /** The ref left commits behind. */
  readonly forced: boolean;
};

/** GitHub's own limits: commits in one payload, and paths in one list of a commit. */
const MAX_COMMITS = 2048;
const MAX_PATHS = 3000;
const FORMAT = "--format=%m%x00%P%x00%H%x00%T%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00";

type Found = { readonly commit: Commit; readonly parents: readonly string[] };

/** Read what a ref change brought; `others` are commits that other refs had already. */
export async function readCommits(
  git: Git,
  folder: string,
  { before, after }: RefChange,
  others: readonly string[],
): Promise<PushedCommits> {
  if (after === NO_SHA) return { commits: [], head: null, forced: false };
  const known = before === NO_SHA ? others : [before];
  const revisions = [after, ...known.map((sha) => `^${sha}`)];
  // A branch or tag at a commit that another had already brings nothing.
  const found = known.includes(after) ? [] : await log(git, folder, revisions, MAX_COMMITS);
  const goesOn = before === NO_SHA || found.some(({ parents }) => parents.includes(before));
  const forced = !goesOn && (await leftBehind(git, folder, before, after));
  const commits = found.map(({ commit }) => commit);
  const head = commits[0] ?? (await log(git, folder, [after], 1))[0]?.commit ?? null;
  return { commits: commits.toReversed(), head, forced };
}

async function leftBehind(git: Git, folder: string, before: string, after: string) {
  const left = await git.run(folder, ["rev-list", "--stdin", "--max-count=1"], {
    input: `${before}\n^${after}\n`,
  });
  return left.length > 0;
}

/** Newest first. Revisions go through standard input: never an option, never too many. */
async function log(git: Git, folder: string, revisions: readonly string[], limit: number) {
  const output = await git.run(
    folder,
    ["log", "-z", "--no-renames", "--name-status", FORMAT, `--max-count=${limit}`, "--stdin"],
    { input: `${revisions.join("\n")}\n` },
  );
  return [...parseLog(output.toString())];
}

function* parseLog(text: string): Generator<Found> {
  const fields = text.split("\0");
  let at = 0;
  while (fields[at] === ">") {
    const parents = (fields[at + 1] ?? "").split(" ");
    const [id, tree, author, authorEmail, authored, committer, committerEmail, committed, message] =
      fields.slice(at + 2, at + 11);
    const paths = readPaths(fields, at + 12);
    at = paths.end;
    const commit = {
      id: id ?? "",
      tree_id: tree ?? "",
      message: (message ?? "").trimEnd(),
      timestamp: committed ?? "",
      author: { name: author ?? "", email: authorEmail ?? "", date: authored ?? "" },
      committer: { name: committer ?? "", email: committerEmail ?? "", date: committed ?? "" },
      added: paths.of("A"),
      removed: paths.of("D"),
      modified: paths.of("M", "T"),
    };
    yield { commit, parents };
  }
}

/** Pairs of a status letter and a path, until something else begins. */
function readPaths(fields: readonly string[], start: number) {
  const found = new Map<string, string[]>();
  let end = start;
  for (let letter = /^\n?([A-Z])$/.exec(fields[end] ?? "")?.[1]; letter !== undefined; ) {
    const list = found.get(letter) ?? [];
    if (list.length < MAX_PATHS) list.push(fields[end + 1] ?? "");
    found.set(letter, list);
    end += 2;
    letter = /^\n?([A-Z])$/.exec(fields[end] ?? "")?.[1];
  }
  return {
    end,
    of: (...letters: string[]) => letters.flatMap((letter) => found.get(letter) ?? []),
  };
}
