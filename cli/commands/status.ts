import { stripControls } from "#sdk/strip-controls.ts";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";
import { formatAge } from "../terminal.ts";
import { BUILDS, FUNCTIONS } from "../views.ts";
import { printBuilds } from "./builds.ts";
import { formatEarlier } from "./format-earlier.ts";

/** Functions and recent builds, of one owner or of all. */
export async function status(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const admin = await connectAdmin(options.data);
  const owner = textArgument(context);
  const query = owner === "" ? "" : `owner=${encodeURIComponent(owner)}`;
  const functions = await admin.get(`/functions?${query}`, FUNCTIONS);
  const builds = await admin.get(`/builds?limit=5&${query}`, BUILDS);

  if (options.json) return terminal.json({ functions, builds });
  terminal.table(
    ["FUNCTION", "REPOSITORY", "COMMIT", "REPLICAS", "INVOCATIONS", "DEPLOYED", "URL"],
    functions.map((one) => [
      one.name,
      one.repository,
      one.sha.slice(0, 7),
      `${one.availableReplicas}/${one.replicas}`,
      String(one.invocations),
      formatAge(one.deployedAt),
      one.url,
    ]),
    "No functions yet. ./ofc token <owner> prints a URL to push to.",
  );
  for (const { name, problem } of functions)
    if (problem !== undefined) terminal.line(terminal.bad(`${name}: ${stripControls(problem)}`));
  for (const { name, earlierSecrets } of functions)
    if (earlierSecrets !== undefined) terminal.line(formatEarlier(name, earlierSecrets));
  terminal.line();
  printBuilds(terminal, builds);
}
