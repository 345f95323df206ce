import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { writeDurably } from "#sdk/durable-file.ts";
import type { PushToken } from "./push-folder.ts";

const run = promisify(execFile);

/** Keep a token where only git of this repository finds it: a 0600 file below `.git`, never a URL or argument. */
export async function storeCredential(
  gitFolder: string,
  url: URL,
  { owner, token }: PushToken,
): Promise<void> {
  const file = join(gitFolder, "ofc-credentials");
  const line = new URL(url.origin);
  line.username = owner;
  line.password = token;
  await writeDurably(file, `${line.href.replace(/\/$/, "")}\n`, 0o600);
  // git hands this value to a shell of its own, so the path is quoted for it.
  const helper = `store --file '${file.replaceAll("'", "'\\''")}'`;
  const key = `credential.${url.origin}.helper`;
  const config = ["--git-dir", gitFolder, "config", "--local"];
  // The empty first value keeps helpers of the user's own configuration out.
  await run("git", [...config, "--replace-all", key, ""]);
  await run("git", [...config, "--add", key, helper]);
}
