import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandContext } from "../context.ts";
import { pushFolder } from "../git/push-folder.ts";
import type { Platform } from "../platform/start-platform.ts";
import { runUntilSignal, startFor } from "./up.ts";

/** `up`, then a push of examples/shop and a call of each of its functions; stays up. */
export async function demo(context: CommandContext): Promise<void> {
  const platform = await startFor(context);
  try {
    await pushShop(context, platform);
  } catch (error) {
    await platform.close();
    throw error;
  }
  await runUntilSignal(context, platform);
}

async function pushShop({ project, terminal }: CommandContext, platform: Platform): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-demo-"));
  try {
    await cp(join(project, "examples/shop"), folder, { recursive: true });
    terminal.line();
    terminal.line(terminal.bold("git push http://demo:<token>@…/git/demo/shop.git main"));
    const { ok, output } = await pushFolder(
      folder,
      platform.url,
      "shop",
      platform.createToken("demo"),
      (line) => terminal.line(`  ${line.trimEnd()}`),
    );
    if (!ok) throw new Error(`The push of examples/shop failed:\n${output}`);
    // Git keeps a commit whose build has failed.
    if (!/^remote: live in /m.test(output))
      throw new Error(
        "examples/shop did not go live; the lines above say why. On Docker its base images have to be there, or a way to their registries (docs/engines.md).",
      );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }

  terminal.line();
  for (const [name, body, type] of CALLS) {
    const url = new URL(`function/demo-${name}`, platform.url);
    const typed = type === "text/plain" ? "" : ` -H 'content-type: ${type}'`;
    terminal.line(terminal.bold(`curl ${url.href}${typed} -d '${body}'`));
    const response = await fetch(url, { method: "POST", headers: { "content-type": type }, body });
    const text = (await response.text()).trimEnd();
    if (!response.ok) throw new Error(`demo-${name} answered ${response.status}: ${text}`);
    for (const line of text.split("\n")) terminal.line(`  ${line}`);
  }
  terminal.line();
  terminal.line("Your turn, in another terminal:");
  terminal.line(
    terminal.bold('  git push "$(./ofc token alice)/shop.git" main') +
      terminal.dim("   in any repository with a stack.yml"),
  );
}

/** Bodies as they would be typed after `curl -d`. */
const CALLS = [
  ["cart", '{"apple": 3, "tea": 1}', "application/json"],
  ["banner", "It is live", "text/plain"],
] as const;
