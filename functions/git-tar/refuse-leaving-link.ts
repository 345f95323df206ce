import { quote, StackError } from "./stack-error.ts";

/** As many links as Linux follows for one path. */
const HOPS_LIMIT = 40;
/** No entry of a build context has a longer path (builder/README.md), so no link has. */
const PATH_LIMIT = 1_024;

/**
 * Refuse a link that does not stay in the build context, as a kernel would walk it: part by part, through
 * the other links. `links` maps every link's path in the context to its target. A target that is not
 * there is fine.
 */
export function refuseLeavingLink(path: string, links: ReadonlyMap<string, string>): void {
  let hops = 0;
  /** Paths of the folders that lead to the place, so that none is put together again. */
  const at: string[] = [];
  for (const part of path.split("/").slice(0, -1)) at.push(join(at.at(-1), part));
  /** Parts still to go, the next one last. */
  const left = partsOf(links.get(path) ?? "").reverse();
  while (left.length > 0) {
    const part = left.pop() ?? "";
    if (part === "") leaves();
    else if (part === ".." && at.pop() === undefined) leaves();
    else if (part !== "..") enter(part);
  }

  function enter(part: string): void {
    const place = join(at.at(-1), part);
    at.push(place);
    const target = place.length > PATH_LIMIT ? undefined : links.get(place);
    if (target === undefined) return;
    if (++hops > HOPS_LIMIT)
      throw new StackError(`the link ${name()} goes in circles; make it a file`);
    at.pop();
    for (const next of partsOf(target).reverse()) left.push(next);
  }

  function leaves(): never {
    throw new StackError(
      `the link ${name()} leaves the function's folder; use configuration.copy or a file instead`,
    );
  }

  function name(): string {
    return `${quote(path)} -> ${quote(links.get(path) ?? "")}`;
  }
}

function join(folder: string | undefined, part: string): string {
  return folder === undefined ? part : `${folder}/${part}`;
}

/** An absolute target begins with an empty part; so does one that no path could hold. */
function partsOf(target: string): string[] {
  if (target === "" || target.startsWith("/") || /[\0\uFFFD]/.test(target)) return [""];
  return target.split("/").filter((part) => part !== "" && part !== ".");
}
