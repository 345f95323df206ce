import type { Header } from "tar-stream";
import { DATA_PREFIX, notABackup } from "./backup-format.ts";

/** An entry that may be made below the data folder. */
export type Placed =
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly size: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** What a data folder consists of; `lock`, `run` and caches are never part of a backup. */
const TOP = new Set([
  "format",
  "ledger.db",
  "secrets",
  "engine",
  "git",
  "artifacts",
  "objects",
  "queue",
]);
/** As functions' artefacts have them, and nothing else. */
const MAY_LINK = /^artifacts\/[0-9a-f]{64}\/root\//;
const PATH_LIMIT = 4_096;
const NAME_LIMIT = 255;

/**
 * Where an entry of a backup's tar goes. Throws for a path that leaves the data folder or is not part of
 * one, for a link out of its artefact, and for anything but files, folders and links.
 */
export function placeEntry({ name, type, mode = 0, size = 0, linkname }: Header): Placed {
  const path = readPath(name);
  // Nobody but the platform's user gains anything, whatever the tar says.
  const kept = mode & 0o755;
  switch (type) {
    case "file":
      return { kind: "file", path, mode: kept | 0o600, size };
    case "directory":
      return { kind: "folder", path, mode: kept | 0o700 };
    case "symlink":
      return { kind: "link", path, target: readTarget(path, linkname ?? "") };
    default:
      throw refuse(name, `is a ${type}; only files, folders and links are restored`);
  }
}

function readPath(name: string): string {
  if (!name.startsWith(DATA_PREFIX)) throw refuse(name, `is not below ${DATA_PREFIX}`);
  const path = name.slice(DATA_PREFIX.length).replace(/\/$/, "");
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw refuse(name, "leaves the data folder");
  if (name.includes("\0") || Buffer.byteLength(path) > PATH_LIMIT)
    throw refuse(name, "is no usable path");
  if (parts.some((part) => Buffer.byteLength(part) > NAME_LIMIT))
    throw refuse(name, "has a name that is too long");
  if (!TOP.has(parts[0] ?? "")) throw refuse(name, "is not part of a data folder");
  return path;
}

/** Relative, and inside the artefact that holds it. */
function readTarget(path: string, target: string): string {
  const [root] = MAY_LINK.exec(path) ?? [];
  if (root === undefined) throw refuse(path, "is a link; only artefacts have some");
  if (target === "" || target.startsWith("/") || target.includes("\0"))
    throw refuse(path, `links to ${JSON.stringify(target)}; only relative links are restored`);
  let depth = path.slice(root.length).split("/").length - 1;
  for (const part of target.split("/")) {
    depth += part === ".." ? -1 : part === "" || part === "." ? 0 : 1;
    if (depth < 0) throw refuse(path, `links to ${JSON.stringify(target)}, outside its artefact`);
  }
  return target;
}

function refuse(name: string, why: string): Error {
  return notABackup(`entry ${JSON.stringify(name.slice(0, 200))} ${why}`);
}
