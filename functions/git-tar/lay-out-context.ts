import { posix } from "node:path";
import type { Template } from "#sdk/templates.ts";
import type { UserFile } from "./context-files.ts";
import { parseDockerignore } from "./dockerignore.ts";
import type { BlobReader } from "./open-blobs.ts";
import { refuseLeavingLink } from "./refuse-leaving-link.ts";
import { quote, StackError } from "./stack-error.ts";

/** One entry of a build context, by its path in it. */
export type ContextEntry =
  | { readonly kind: "content"; readonly mode: number; readonly content: Buffer }
  | {
      readonly kind: "blob";
      readonly mode: number;
      readonly id: string;
      readonly sizeBytes: number;
    }
  | { readonly kind: "link"; readonly target: string };

export type Context = ReadonlyMap<string, ContextEntry>;

const IGNORE_FILE = ".dockerignore";
const IGNORE_LIMIT = 64 * 1024;
/** Linux takes no longer target. */
const TARGET_LIMIT = 4_095;

/**
 * Lay the owner's files over the template's, at its handler folder; without a template they are the whole
 * context. Sample files that the owner does not replace remain (spec/faas-cli.md section 4). Throws
 * StackError for a link that leaves the context.
 */
export async function layOutContext(
  files: readonly UserFile[],
  template: Template | undefined,
  blobs: BlobReader,
): Promise<Context> {
  const context = new Map<string, ContextEntry>();
  for (const { path, mode, content } of template?.files ?? [])
    context.set(path, { kind: "content", mode, content });

  const sent = await withoutIgnored(files, blobs);
  removeCovered(context, sent, template?.handlerFolder ?? "");
  for (const file of sent)
    context.set(posix.join(template?.handlerFolder ?? "", file.path), await toEntry(file, blobs));
  const links = linksOf(context);
  for (const path of links.keys()) refuseLeavingLink(path, links);
  return new Map([...context].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function withoutIgnored(
  files: readonly UserFile[],
  blobs: BlobReader,
): Promise<readonly UserFile[]> {
  const file = files.find(({ path, entry }) => path === IGNORE_FILE && entry.kind !== "link");
  if (file === undefined) return files;
  if (file.entry.sizeBytes > IGNORE_LIMIT)
    throw new StackError(
      `${quote(file.entry.path)} has ${file.entry.sizeBytes} bytes; at most ${IGNORE_LIMIT} are read`,
    );
  const ignores = parseDockerignore((await blobs.read(file.entry.id)).toString());
  // Docker sends these two whatever the patterns say.
  return files.filter(
    ({ path }) => path === IGNORE_FILE || path === "Dockerfile" || !ignores(path),
  );
}

/** A file of the owner replaces a folder of the template, and a folder a file. */
function removeCovered(
  context: Map<string, ContextEntry>,
  files: readonly UserFile[],
  folder: string,
): void {
  const paths = new Set(files.map(({ path }) => posix.join(folder, path)));
  const folders = new Set([...paths].flatMap(foldersOf));
  for (const path of context.keys()) {
    if (folders.has(path) || foldersOf(path).some((above) => paths.has(above)))
      context.delete(path);
  }
}

/** `a` and `a/b` of `a/b/c`. */
export function foldersOf(path: string): readonly string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

async function toEntry({ entry }: UserFile, blobs: BlobReader): Promise<ContextEntry> {
  const { id, kind, path, sizeBytes } = entry;
  if (kind !== "link")
    return { kind: "blob", mode: kind === "executable" ? 0o755 : 0o644, id, sizeBytes };
  if (sizeBytes > TARGET_LIMIT)
    throw new StackError(`${quote(path)} links to a path of ${sizeBytes} bytes`);
  return { kind: "link", target: (await blobs.read(id)).toString() };
}

function linksOf(context: Context): ReadonlyMap<string, string> {
  const links = new Map<string, string>();
  for (const [path, entry] of context) if (entry.kind === "link") links.set(path, entry.target);
  return links;
}
