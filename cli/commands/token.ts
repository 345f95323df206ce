import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";

const ANSWER = z.object({ owner: z.string(), token: z.string() });

/** Print a push URL with a token in it; the token is shown this once and kept only as a hash. */
export async function token(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const admin = await connectAdmin(options.data);
  const created = await admin.post("/tokens", { owner: textArgument(context) }, ANSWER);
  const url = new URL(`git/${created.owner}/`, admin.running.url);
  url.username = created.owner;
  url.password = created.token;

  if (options.json) return terminal.json({ ...created, url: url.href });
  terminal.line(`${url.href}<repository>.git`);
  terminal.line();
  terminal.line("Push any repository with a stack.yml; the first push creates it:");
  terminal.line(terminal.bold(`  git push ${url.href}shop.git main`));
  terminal.line(
    terminal.dim("The token is shown once. ./ofc remote keeps it out of URLs and shell history."),
  );
}
