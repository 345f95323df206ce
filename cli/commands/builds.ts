import { z } from "zod";
import { formatDuration } from "#sdk/duration.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { stripControls } from "#sdk/strip-controls.ts";
import { formatProgress, nothingTold } from "../../forge/push/format-progress.ts";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";
import { formatAge, type Terminal } from "../terminal.ts";
import { BUILD, BUILDS, type BuildView } from "../views.ts";

/** Written by the platform that reads them; their shape was checked by its compiler. */
const EVENTS = z.array(z.custom<BuildEvent>());

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
    printEvents(terminal, build, events);
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

/** What the pusher saw, each line with when it came; build logs in full. */
function printEvents(
  terminal: Terminal,
  { acceptedAt }: BuildView,
  events: readonly BuildEvent[],
): void {
  let state = nothingTold;
  for (const event of events) {
    const told = formatProgress(state, event);
    state = told.state;
    const lines = event.type === "log" ? [`${event.name} | ${event.text}`] : told.lines;
    const when = `+${formatDuration(event.at - acceptedAt)}`.padStart(9);
    for (const line of lines) terminal.line(`${terminal.dim(when)}  ${stripControls(line)}`);
  }
}
