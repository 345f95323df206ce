import { posix } from "node:path";
import type { Header as TarHeader } from "tar-stream";
import { HttpError } from "#sdk/errors.ts";
import { CONFIG_ENTRY, CONFIG_LIMIT_BYTES } from "./build-config.ts";
import { SECRETS_ENTRY, SECRETS_LIMIT_BYTES } from "./secrets/secrets-entry.ts";
import type { BuilderSettings } from "./settings.ts";

/** What to do with one entry of a build's tar; `path` is relative to the context. */
export type Placed =
  | { readonly kind: "config" }
  | { readonly kind: "secrets" }
  | { readonly kind: "ignored" }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly mode: 0o644 | 0o755 }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

export type EntryLimits = Pick<
  BuilderSettings,
  "maxEntries" | "maxFileBytes" | "maxPathBytes" | "maxContextBytes"
>;

type Beside = { readonly kind: "config" | "secrets"; readonly limit: number };

/** Files that are read, and are not in the context. */
const BESIDE: ReadonlyMap<string, Beside> = new Map([
  [CONFIG_ENTRY, { kind: "config", limit: CONFIG_LIMIT_BYTES }],
  [SECRETS_ENTRY, { kind: "secrets", limit: SECRETS_LIMIT_BYTES }],
]);

/** Decide entry by entry; what was placed before decides too, so links are never written through. */
export function createEntryRules(limits: EntryLimits): (header: TarHeader) => Placed {
  const placed = new Map<string, Placed["kind"]>();
  const found = new Set<Beside["kind"]>();
  let entries = 0;
  let bytes = 0;

  return (header) => {
    const name = header.name;
    const size = sizeOf(header);
    bytes += size;
    if (++entries > limits.maxEntries)
      throw refuse(name, `is one entry too many; at most ${limits.maxEntries} fit`);
    if (bytes > limits.maxContextBytes)
      throw refuse(name, `brings the context over ${limits.maxContextBytes} bytes`);
    const segments = split(name, limits.maxPathBytes);
    const beside = segments.length === 1 ? BESIDE.get(segments[0] ?? "") : undefined;
    if (beside !== undefined) return placeBeside(header, size, beside);
    if (segments.shift() !== "context") return { kind: "ignored" };
    const entry = place(header, segments.join("/"), limits);
    remember(entry, name, segments);
    return entry;
  };

  function placeBeside({ name, type }: TarHeader, size: number, { kind, limit }: Beside): Placed {
    if (type !== "file") throw refuse(name, "must be a file");
    if (size > limit) throw refuse(name, `has ${size} bytes; at most ${limit} fit`);
    if (found.has(kind)) throw refuse(name, "appears twice");
    found.add(kind);
    return { kind };
  }

  function remember(entry: Placed, name: string, segments: readonly string[]): void {
    const path = segments.join("/");
    for (let depth = 1; depth < segments.length; depth++) {
      const parent = segments.slice(0, depth).join("/");
      const kind = placed.get(parent);
      if (kind === "file" || kind === "link")
        throw refuse(name, `lies below the ${kind} ${parent}`);
      placed.set(parent, "directory");
    }
    const before = placed.get(path);
    if (before !== undefined && !(before === "directory" && entry.kind === "directory"))
      throw refuse(name, "appears twice");
    placed.set(path, entry.kind);
  }
}

/** tar-stream gives null for a size it cannot read, and then waits for ever for the entry's end. */
function sizeOf({ name, size }: TarHeader): number {
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
  throw refuse(name, "has a size that is no number");
}

/** Path segments without `.`; refuses names that could mean another place or fool a reader. */
function split(name: string, maxPathBytes: number): string[] {
  if (name.startsWith("/")) throw refuse(name, "has an absolute name");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x1f\x7f]/.test(name)) throw refuse(name, "has a control character in its name");
  if (Buffer.byteLength(name) > maxPathBytes)
    throw refuse(name, `has a path over ${maxPathBytes} bytes`);
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw refuse(name, 'has ".." in its name');
  if (segments.some((segment) => Buffer.byteLength(segment) > 255))
    throw refuse(name, "has a name over 255 bytes");
  return segments;
}

function place(header: TarHeader, path: string, limits: EntryLimits): Placed {
  const { name, type, size = 0, mode = 0, linkname } = header;
  if (type === "directory") return { kind: "directory", path };
  if (path === "") throw refuse(name, "must be a folder");
  if (type === "symlink") return { kind: "link", path, target: checkTarget(name, path, linkname) };
  if (type !== "file" && type !== "contiguous-file")
    throw refuse(name, `is a ${type ?? "unknown kind of entry"}; files, folders and links may be`);
  if (size > limits.maxFileBytes)
    throw refuse(name, `has ${size} bytes; a file has at most ${limits.maxFileBytes}`);
  return { kind: "file", path, mode: mode & 0o111 ? 0o755 : 0o644 };
}

/** A first look by text alone; where the link really leads is checked once everything is there. */
function checkTarget(name: string, path: string, target: string | null | undefined): string {
  if (!target || target.startsWith("/") || target.includes("\0"))
    throw refuse(name, `links to ${JSON.stringify(target ?? "")}; links stay inside the context`);
  const resolved = posix.join(posix.dirname(path), target);
  if (resolved === ".." || resolved.startsWith("../"))
    throw refuse(name, `links to ${JSON.stringify(target)}, outside the context`);
  return target;
}

function refuse(name: string, why: string): HttpError {
  return new HttpError(
    422,
    "bad-context",
    `Build context entry ${JSON.stringify(name.slice(0, 200))} ${why}.`,
  );
}
