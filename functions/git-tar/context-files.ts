import type { TreeEntry } from "./list-tree.ts";
import { isInside } from "./repository-path.ts";
import { quote, refuse, StackError } from "./stack-error.ts";

/** A file of the commit and where it goes below the handler's place in the build context. */
export type UserFile = { readonly path: string; readonly entry: TreeEntry };

export type UserPaths = {
  /** Key in stack.yml, for messages. */
  readonly name: string;
  readonly handler: string;
  readonly copy: readonly string[];
};

/** faas-cli leaves these out at the top of a handler. */
const SKIPPED: ReadonlySet<string> = new Set(["build", "template"]);
const FILES_LIMIT = 20_000;
const BYTES_LIMIT = 256 * 1024 ** 2;

/**
 * What an owner adds to a build context, by path: the handler's files, overlaid by `configuration.copy`.
 * Throws StackError for what is missing, not a folder, or a submodule.
 */
export function listUserFiles(
  tree: readonly TreeEntry[],
  { name, handler, copy }: UserPaths,
): readonly UserFile[] {
  const files = new Map<string, UserFile>();
  for (const file of handlerFiles(tree, `functions.${name}.handler`, handler))
    files.set(file.path, file);
  for (const path of copy) {
    for (const file of copiedFiles(tree, path)) files.set(file.path, file);
  }
  refuseSize([...files.values()], `functions.${name}`);
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)).map(refuseUnfit);
}

function refuseSize(files: readonly UserFile[], field: string): void {
  const bytes = files.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
  if (files.length > FILES_LIMIT)
    throw new StackError(`${field} has ${files.length} files; at most ${FILES_LIMIT} are built`);
  if (bytes > BYTES_LIMIT)
    throw new StackError(`${field} has ${bytes} bytes; at most ${BYTES_LIMIT} are built`);
}

function handlerFiles(
  tree: readonly TreeEntry[],
  field: string,
  handler: string,
): readonly UserFile[] {
  const found = tree.filter(({ path }) => isInside(path, handler));
  if (found.length === 0)
    refuse(field, handler || ".", `the commit holds no such folder${throughLink(tree, handler)}`);
  const itself = found.find(({ path }) => path === handler);
  if (itself !== undefined) refuse(field, handler, `it is a ${itself.kind}; it must be a folder`);
  return found
    .map((entry) => ({
      path: handler === "" ? entry.path : entry.path.slice(handler.length + 1),
      entry,
    }))
    .filter(({ path }) => !SKIPPED.has(path.split("/")[0] ?? ""));
}

function copiedFiles(tree: readonly TreeEntry[], path: string): readonly UserFile[] {
  const found = tree.filter((entry) => isInside(entry.path, path));
  if (found.length === 0)
    refuse("configuration.copy", path, `the commit holds no such path${throughLink(tree, path)}`);
  return found.map((entry) => ({ path: entry.path, entry }));
}

function throughLink(tree: readonly TreeEntry[], path: string): string {
  const link = tree.find((entry) => entry.kind === "link" && isInside(path, entry.path));
  return link === undefined ? "" : `; ${quote(link.path)} is a link, and links are not followed`;
}

function refuseUnfit(file: UserFile): UserFile {
  const { path, kind } = file.entry;
  if (kind === "submodule")
    throw new StackError(
      `${quote(path)} is a submodule; submodules are not fetched, copy its files in`,
    );
  if (path.includes("\uFFFD") || /\p{Cc}/u.test(path))
    throw new StackError(`${quote(path)} has a name that is not plain UTF-8; rename it`);
  if (path.split("/").some((part) => part === "" || part === "." || part === ".."))
    throw new StackError(`${quote(path)} is not a path inside the repository`);
  return file;
}
