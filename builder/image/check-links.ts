import { HttpError } from "#sdk/errors.ts";

/** As many links as Linux follows for one path. */
const HOPS_LIMIT = 40;

/**
 * Throws 422 for a link that does not stay in the context, as a kernel would walk it: part by part, through
 * the other links. `links` maps each link's path to its target; a target that is not there is fine.
 */
export function checkLinks(links: ReadonlyMap<string, string>): void {
  for (const [path, target] of links) walk(path, target, links);
}

function walk(path: string, target: string, links: ReadonlyMap<string, string>): void {
  const at = path.split("/").slice(0, -1);
  const left = partsOf(target);
  let hops = 0;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === "..") {
      if (at.pop() === undefined) throw refuse(path, target, "leaves the context");
      continue;
    }
    at.push(part);
    const next = links.get(at.join("/"));
    if (next === undefined) continue;
    if (++hops > HOPS_LIMIT) throw refuse(path, target, "goes in circles");
    at.pop();
    left.unshift(...partsOf(next));
  }
}

/** Absolute targets were refused when they came. */
function partsOf(target: string): string[] {
  return target.split("/").filter((part) => part !== "" && part !== ".");
}

function refuse(path: string, target: string, why: string): HttpError {
  const link = `${JSON.stringify(path)} -> ${JSON.stringify(target)}`;
  return new HttpError(422, "bad-context", `Build context link ${link} ${why}.`);
}
