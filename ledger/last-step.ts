import type { BuildEvent } from "#sdk/messages.ts";
import type { StoredBuild } from "./builds.ts";
import type { Database } from "./database.ts";
import { listEvents } from "./events.ts";

/** Names that are told of many. */
const NAMED = 3;

/** The step in which the last attempt at a build ended, for people: `building cart`. */
export function describeLastStep(db: Database, { build, eventsBefore }: StoredBuild): string {
  const events = listEvents(db, build.id, eventsBefore).map(({ event }) => event);
  if (!events.some(({ type }) => type === "fetched")) return "fetching";
  if (!events.some(({ type }) => type === "planned")) return "reading stack.yml";
  const unbuilt = findUnbuilt(events);
  if (unbuilt.length > 0) return `building ${formatNames(unbuilt)}`;
  return build.state === "built" ? "before deploying" : "building";
}

/** Functions whose build began and came to nothing, in the order of their beginnings. */
function findUnbuilt(events: readonly BuildEvent[]): string[] {
  const steps = new Map<string, string>();
  for (const event of events) if (event.type === "function") steps.set(event.name, event.step);
  return [...steps].filter(([, step]) => step === "building" || step === "failed").map(([n]) => n);
}

function formatNames(names: readonly string[]): string {
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
