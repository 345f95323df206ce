import { quote, StackError } from "./stack-error.ts";

/** As many links as Linux follows for one path. */
const HOPS_LIMIT = 40;

/**
 * Refuse a link that does not stay in the build context, as a kernel would walk it: part by part, through
 * the other links. `links` maps every link's path in the context to its target. A target that is not
 * there is fine.
 */
export function refuseLeavingLink(path: string, links: ReadonlyMap<string, string>): void {
  let hops = 0;
  const at = path.split("/").slice(0, -1);
  const left = partsOf(links.get(path) ?? "");
  while (left.length > 0) {
    const part = left.shift() ?? "";
    if (part === "") leaves();
    else if (part === ".." && at.pop() === undefined) leaves();
    else if (part !== "..") enter(part);
  }

  function enter(part: string): void {
    at.push(part);
    const target = links.get(at.join("/"));
    if (target === undefined) return;
    if (++hops > HOPS_LIMIT)
      throw new StackError(`the link ${name()} goes in circles; make it a file`);
    at.pop();
    left.unshift(...partsOf(target));
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

/** An absolute target begins with an empty part; so does one that no path could hold. */
function partsOf(target: string): string[] {
  if (target === "" || target.startsWith("/") || /[\0\uFFFD]/.test(target)) return [""];
  return target.split("/").filter((part) => part !== "" && part !== ".");
}
