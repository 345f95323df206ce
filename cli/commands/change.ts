import { z } from "zod";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";
import { BUILD } from "../views.ts";

/** Stop a build that is not yet deploying. */
export async function cancel(context: CommandContext): Promise<void> {
  const admin = await connectAdmin(context.options.data);
  const build = await admin.post(
    `/builds/${encodeURIComponent(textArgument(context))}/cancel`,
    {},
    BUILD,
  );
  print(
    context,
    build,
    `Build ${build.id} of ${build.repository}@${build.sha.slice(0, 7)} is cancelled.`,
  );
}

/** Deploy the newest commit of a function's repository again. */
export async function redeploy(context: CommandContext): Promise<void> {
  const admin = await connectAdmin(context.options.data);
  const answer = await admin.post(
    "/redeploy",
    { target: textArgument(context) },
    z.object({ build: z.string(), sha: z.string() }),
  );
  print(
    context,
    answer,
    `Build ${answer.build} deploys ${answer.sha.slice(0, 7)} again; ./ofc builds --id ${answer.build} follows it.`,
  );
}

/** Stop and forget functions. */
export async function remove(context: CommandContext): Promise<void> {
  const admin = await connectAdmin(context.options.data);
  const answer = await admin.post(
    "/remove",
    { target: textArgument(context) },
    z.object({ removed: z.array(z.string()) }),
  );
  print(context, answer, `Removed ${answer.removed.join(", ")}.`);
}

/** Forget what a secret was before. */
export async function forget(context: CommandContext): Promise<void> {
  const admin = await connectAdmin(context.options.data);
  const answer = await admin.post(
    "/forget-secret",
    { name: textArgument(context) },
    z.object({ forgotten: z.string() }),
  );
  print(
    context,
    answer,
    `The earlier values of secret "${answer.forgotten}" are gone; its functions have that of now.`,
  );
}

/** Put back what a function served before. */
export async function rollback(context: CommandContext): Promise<void> {
  const [name = "", sha] = [context.argument ?? []].flat();
  const { data, withSecrets = false } = context.options;
  const admin = await connectAdmin(data);
  const { from, to, ...answer } = await admin.post(
    "/rollback",
    { name, ...(sha === undefined ? {} : { sha }), ...(withSecrets ? { withSecrets } : {}) },
    ROLLED_BACK,
  );
  const secrets = withSecrets ? `, ${describeSecrets(answer.earlierSecrets)}` : "";
  print(
    context,
    { ...answer, from, to },
    `${name} serves ${to} again instead of ${from}${secrets}; it stays there until a push changes the function.`,
  );
}

const ROLLED_BACK = z.object({
  function: z.string(),
  from: z.string(),
  to: z.string(),
  fence: z.number(),
  earlierSecrets: z.array(z.string()),
});

function describeSecrets(earlier: readonly string[]): string {
  if (earlier.length === 0) return "and its secrets have not changed since";
  return `with the values that ${earlier.join(", ")} had then`;
}

function print({ terminal, options }: CommandContext, answer: unknown, words: string): void {
  if (options.json) terminal.json(answer);
  else terminal.line(words);
}
