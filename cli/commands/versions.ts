import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";
import { formatAge } from "../terminal.ts";
import { VERSIONS } from "../views.ts";
import { formatEarlier } from "./format-earlier.ts";

/** What a function serves and can go back to. */
export async function versions(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const name = textArgument(context);
  const admin = await connectAdmin(options.data);
  const found = await admin.get(`/functions/${encodeURIComponent(name)}/versions`, VERSIONS);

  if (options.json) return terminal.json(found);
  terminal.table(
    ["COMMIT", "STATE", "RELEASE", "SINCE", "BY", "ADDRESS"],
    found.map(({ sha, state, fence, declaredAt, rolledBack, url }) => [
      sha,
      state,
      String(fence),
      formatAge(declaredAt),
      rolledBack ? "roll-back" : "push",
      url ?? "",
    ]),
    `No version of "${name}" is known; ./ofc status lists functions by the names they are deployed under.`,
  );
  for (const { earlierSecrets } of found)
    if (earlierSecrets !== undefined) terminal.line(formatEarlier(name, earlierSecrets));
}
