import { createHash } from "node:crypto";
import type { TreeEntry } from "../list-tree.ts";

/** A tree listing made from paths; equal contents have equal ids. */
export function treeOf(
  files: Readonly<Record<string, string>>,
  kinds: Readonly<Record<string, TreeEntry["kind"]>> = {},
): readonly TreeEntry[] {
  return Object.entries(files).map(([path, content]) => ({
    path,
    kind: kinds[path] ?? "file",
    id: createHash("sha1").update(content).digest("hex"),
    sizeBytes: content.length,
  }));
}
