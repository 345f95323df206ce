import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";

const ANSWER = z.object({ owner: z.string(), token: z.string() });

/** Print a push URL with a token in it; the token is shown this once and kept only as a hash. */
export async function token(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const admin = await connectAdmin(options.data);
  const created = await admin.post("/tokens", { owner: textArgument(context) }, ANSWER);
  const url = new URL(`git/${created.owner}`, admin.running.url);
  url.username = created.owner;
  url.password = created.token;
  if (options.json) return terminal.json({ ...created, url: url.href });

  // The URL alone is on stdout, so that "$(ofc token alice)/shop.git" is a place to push to.
  terminal.line(url.href);
  context.note(
    "The token is shown this once. Push any repository with a stack.yml; the first push creates it:",
  );
  context.note(`  git push ${url.href}/shop.git main`);
}
