import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { storeCredential } from "./store-credential.ts";

/** A freshly made token of an owner. */
export type PushToken = { readonly owner: string; readonly token: string };

export type PushResult = { readonly ok: boolean; readonly output: string };

/**
 * Make a folder a repository with one commit of everything in it, and push that to `main` of
 * `<owner>/<repository>` on the platform. `said` gets git's lines, `remote:` ones among them, as they come.
 */
export async function pushFolder(
  folder: string,
  platformUrl: string,
  repository: string,
  token: PushToken,
  said: (line: string) => void,
): Promise<PushResult> {
  const url = new URL(`git/${token.owner}/${repository}.git`, platformUrl);
  await git(folder, ["init", "--quiet", "--initial-branch=main"]);
  await storeCredential(join(folder, ".git"), url, token);
  await git(folder, ["add", "--all"]);
  await git(folder, [
    ...["-c", "user.name=ofc", "-c", "user.email=ofc@localhost", "-c", "commit.gpgsign=false"],
    ...[
      "commit",
      "--quiet",
      "--no-verify",
      "--allow-empty",
      "--message",
      `${repository} for a first push`,
    ],
  ]);
  const lines: string[] = [];
  const ok = await run(folder, ["push", "--no-progress", url.href, "main"], (line) => {
    lines.push(line);
    said(line);
  });
  return { ok, output: lines.join("\n") };
}

async function git(folder: string, args: readonly string[]): Promise<void> {
  const lines: string[] = [];
  if (!(await run(folder, args, (line) => lines.push(line))))
    throw new Error(`git ${args[0]} failed: ${lines.join(" ")}`);
}

async function run(
  folder: string,
  args: readonly string[],
  said: (line: string) => void,
): Promise<boolean> {
  const child = spawn("git", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const read = async (stream: AsyncIterable<Buffer>) => {
    let rest = "";
    for await (const chunk of stream) {
      const parts = `${rest}${chunk}`.split(/\r?\n|\r/);
      rest = parts.pop() ?? "";
      for (const part of parts) said(part);
    }
    if (rest !== "") said(rest);
  };
  const [[code]] = await Promise.all([
    once(child, "close"),
    read(child.stdout),
    read(child.stderr),
  ]);
  return code === 0;
}
