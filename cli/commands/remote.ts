import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";
import { storeCredential } from "../git/store-credential.ts";

const run = promisify(execFile);
const ANSWER = z.object({ owner: z.string(), token: z.string() });

/** Add the platform as a remote of the repository in this folder; the token stays in a 0600 file. */
export async function remote(context: CommandContext): Promise<void> {
  const [owner = "", repository = ""] = textArgument(context).split("/");
  if (owner === "" || !/^[\w.-]{1,100}$/.test(repository)) {
    throw new Error(
      `"${textArgument(context)}" is not <owner>/<repository>, for instance alice/shop.`,
    );
  }
  const { stdout } = await run("git", ["rev-parse", "--absolute-git-dir"]).catch(() => {
    throw new Error("This folder is not in a Git repository; run git init first.");
  });

  const admin = await connectAdmin(context.options.data);
  const created = await admin.post("/tokens", { owner }, ANSWER);
  const url = new URL(`git/${created.owner}/${repository}.git`, admin.running.url);
  const name = context.options.name ?? "ofc";
  await storeCredential(stdout.trim(), url, created);
  await setRemote(name, url.href);

  context.terminal.line(`Remote "${name}" is ${url.href}`);
  context.terminal.line(context.terminal.bold(`  git push ${name} HEAD:main`));
}

async function setRemote(name: string, url: string): Promise<void> {
  const { stdout } = await run("git", ["remote"]);
  const verb = stdout.split("\n").includes(name) ? "set-url" : "add";
  await run("git", ["remote", verb, "--", name, url]);
}
