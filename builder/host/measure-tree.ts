import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { HttpError } from "#sdk/errors.ts";

export type MeasuredTree = {
  /** 64 hex digits over sorted (path, mode, content). */
  readonly hex: string;
  readonly sizeBytes: number;
  /** Without links; `path` is absolute, `mode` what the digest says of it. */
  readonly files: readonly { readonly path: string; readonly mode: 0o644 | 0o755 }[];
  /** Absolute, the tree itself first. */
  readonly folders: readonly string[];
};

type Leaf = {
  readonly path: string;
  readonly line: string;
  readonly size: number;
  /** Links have none. */
  readonly mode?: 0o644 | 0o755;
};

const STREAMED_BYTES = 4 * 1024 * 1024;
const AT_ONCE = 16;

/** Digest and size of a tree. Throws 422 for a link that leaves it, anything else odd, or too many bytes. */
export async function measureTree(folder: string, maxBytes: number): Promise<MeasuredTree> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  const leaves = await mapAtMost(AT_ONCE, paths.sort(), (path) => measureLeaf(folder, path));
  const sizeBytes = leaves.reduce((sum, { size }) => sum + size, 0);
  if (sizeBytes > maxBytes)
    throw new HttpError(
      422,
      "too-large",
      `The function has ${sizeBytes} bytes with its packages; at most ${maxBytes} fit.`,
    );
  const hex = createHash("sha256")
    .update(leaves.map(({ line }) => line).join(""))
    .digest("hex");
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = leaves.flatMap(({ path, mode }) => (mode === undefined ? [] : [{ path, mode }]));
  return { hex, sizeBytes, files, folders: [folder, ...folders] };
}

async function measureLeaf(folder: string, path: string): Promise<Leaf> {
  const found = await lstat(path);
  const name = relative(folder, path);
  if (found.isSymbolicLink()) {
    const target = await readlink(path);
    if (!resolve(dirname(path), target).startsWith(folder + sep))
      throw new HttpError(422, "bad-link", `${name} links to ${target}, outside the function.`);
    return { path, line: `link ${target}\0${name}\0`, size: 0 };
  }
  if (!found.isFile()) throw new HttpError(422, "bad-file", `${name} is no file, folder or link.`);
  const mode = found.mode & 0o111 ? 0o755 : 0o644;
  const content = await digestFile(path, found.size);
  return { path, line: `${mode.toString(8)} ${content}\0${name}\0`, size: found.size, mode };
}

async function digestFile(path: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  if (size <= STREAMED_BYTES) return hash.update(await readFile(path)).digest("hex");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/** `Promise.all` with at most `limit` under way; results in order. */
export async function mapAtMost<T, R>(
  limit: number,
  items: readonly T[],
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) results[index] = await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  return results;
}
