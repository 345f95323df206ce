import { posix } from "node:path";

const CONTROL = /\p{Cc}/u;

/**
 * A path of a repository without `./`, doubled or closing slashes; `""` is its root. `undefined` when it
 * is absolute, leaves the repository, holds a control character or is longer than 1,024 characters.
 */
export function resolveInside(text: string): string | undefined {
  if (text === "" || text.length > 1_024 || text.startsWith("/") || CONTROL.test(text))
    return undefined;
  const path = posix.normalize(text).replace(/\/$/, "");
  if (path === "..") return undefined;
  if (path.startsWith("../")) return undefined;
  return path === "." ? "" : path;
}

/** Whether `path` is `folder` or lies in it; the folder `""` holds everything. */
export function isInside(path: string, folder: string): boolean {
  return folder === "" || path === folder || path.startsWith(`${folder}/`);
}
