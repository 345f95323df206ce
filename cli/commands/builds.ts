import { z } from "zod";
import { formatDuration } from "#sdk/duration.ts";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";
import { formatAge, stripControls, type Terminal } from "../terminal.ts";
import { BUILD, BUILDS, type BuildView } from "../views.ts";

const EVENTS = z.array(z.looseObject({ at: z.number(), type: z.string() }));

/** Recent builds, of one owner or of all; with `--id` one build and what happened to it. */
export async function builds(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const admin = await connectAdmin(options.data);
  if (options.id !== undefined) {
    const path = `/builds/${encodeURIComponent(options.id)}`;
    const build = await admin.get(path, BUILD);
    const events = await admin.get(`${path}/events`, EVENTS);
    if (options.json) return terminal.json({ ...build, events });
    printBuilds(terminal, [build]);
    for (const { at, v: _, ...event } of events)
      terminal.line(
        `  +${formatDuration(at - build.acceptedAt)}  ${stripControls(formatEvent(event))}`,
      );
    return;
  }

  const owner = textArgument(context);
  const list = await admin.get(
    `/builds?limit=${options.limit}${owner === "" ? "" : `&owner=${encodeURIComponent(owner)}`}`,
    BUILDS,
  );
  if (options.json) return terminal.json(list);
  printBuilds(terminal, list);
}

export function printBuilds(terminal: Terminal, list: readonly BuildView[]): void {
  terminal.table(
    ["BUILD", "REPOSITORY", "BRANCH", "COMMIT", "STATE", "TOOK", "ACCEPTED", "REASON"],
    list.map((build) => [
      build.id,
      build.repository,
      build.branch,
      build.sha.slice(0, 7),
      build.state,
      build.endedAt === undefined ? "" : formatDuration(build.endedAt - build.acceptedAt),
      formatAge(build.acceptedAt),
      build.reason,
    ]),
    "No builds yet.",
  );
}

function formatEvent(event: { readonly [key: string]: unknown; readonly type: string }): string {
  const facts = Object.entries(event)
    .filter(([key]) => key !== "type")
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${event.type} ${facts.join(" ")}`.trim();
}
