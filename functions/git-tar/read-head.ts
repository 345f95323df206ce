import { withDeadline } from "#sdk/with-deadline.ts";
import { ensureMirror } from "./fetch-commit.ts";
import { toFetchError } from "./fetch-error.ts";
import type { MirrorOptions } from "./mirror.ts";
import { runGit } from "./run-git.ts";

/** Ask the source for a branch's newest commit; `undefined` when the branch is not there. */
export async function readHead(
  options: MirrorOptions,
  branch: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { folder, environment, cloneUrl, limits } = options;
  const credential = await options.credential();
  await ensureMirror(options, signal);
  const ref = `refs/heads/${branch}`;
  const { code, stderr, stdout } = await runGit({
    folder,
    environment,
    signal: withDeadline(limits.fetchMs, signal),
    args: ["ls-remote", "--quiet", "--end-of-options", cloneUrl, ref],
    ...(credential === undefined ? {} : { credential }),
  });
  if (code !== 0) throw toFetchError(stderr, "", credential?.password);
  // ls-remote matches the end of names too; only the whole name is the branch.
  return stdout
    .split("\n")
    .map((line) => line.split("\t"))
    .find(([, name]) => name === ref)?.[0];
}
