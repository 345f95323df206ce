import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { describe, errorCode } from "#sdk/errors.ts";
import {
  type BackupEntry,
  type BackupHeader,
  HEADER_NAME,
  MANIFEST_NAME,
  notABackup,
  parseHeader,
  parseManifest,
} from "./backup-format.ts";
import { type Placed, placeEntry } from "./place-entry.ts";

const HEADER_LIMIT_BYTES = 64 * 1024;
const MANIFEST_LIMIT_BYTES = 256 * 1024 * 1024;

/** What tar-stream gives for each entry. */
type Entry = AsyncIterable<unknown> & { readonly header: Header; resume(): unknown };

export type Unpacked = {
  readonly header: BackupHeader;
  readonly entries: readonly BackupEntry[];
};

/**
 * Unpack a backup into an empty folder and compare it with its manifest. Everything is on disk when it
 * resolves; it rejects when anything is missing, changed, added or not allowed.
 */
export async function unpackArchive(
  file: string,
  folder: string,
  newestFormat: number,
): Promise<Unpacked> {
  const archive = extract();
  const feeding = pipeline(createReadStream(file), createZstdDecompress(), archive);
  // Reported by the loop below, which ends with the same error.
  feeding.catch(() => {});
  try {
    const unpacked = await placeEntries(archive, folder, newestFormat);
    await feeding;
    return unpacked;
  } catch (error) {
    archive.destroy();
    throw toRefusal(error);
  }
}

async function placeEntries(
  archive: AsyncIterable<Entry>,
  folder: string,
  newestFormat: number,
): Promise<Unpacked> {
  let header: BackupHeader | undefined;
  let promised: readonly BackupEntry[] | undefined;
  const found = new Map<string, BackupEntry>();
  for await (const entry of archive) {
    const { name } = entry.header;
    if (header === undefined) {
      if (name !== HEADER_NAME) throw notABackup(`it does not begin with ${HEADER_NAME}`);
      header = parseHeader(await collect(entry, HEADER_LIMIT_BYTES), newestFormat);
    } else if (promised !== undefined) throw notABackup(`${name} follows the manifest`);
    else if (name === MANIFEST_NAME)
      promised = parseManifest(await collect(entry, MANIFEST_LIMIT_BYTES));
    else await placeOne(entry, folder, found);
    entry.resume();
  }
  if (header === undefined || promised === undefined) throw notABackup("its end is missing");
  compare(promised, found);
  await makeLinks(folder, promised);
  return { header, entries: promised };
}

async function placeOne(
  entry: Entry,
  folder: string,
  found: Map<string, BackupEntry>,
): Promise<void> {
  const placed = placeEntry(entry.header);
  const { path } = placed;
  if (found.has(path)) throw notABackup(`${path} is in it twice`);
  if (placed.kind === "link") found.set(path, { kind: "link", path, target: placed.target });
  else if (placed.kind === "folder") {
    await mkdir(join(folder, path), { recursive: true, mode: placed.mode });
    found.set(path, { kind: "folder", path });
  } else found.set(path, await writeFile(entry, folder, placed));
}

async function writeFile(
  entry: Entry,
  folder: string,
  { path, mode, size }: Extract<Placed, { kind: "file" }>,
): Promise<BackupEntry> {
  await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
  const hash = createHash("sha256");
  await using file = await open(join(folder, path), "wx", mode);
  for await (const chunk of entry) {
    if (!(chunk instanceof Uint8Array)) continue;
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  // Whatever the umask took away.
  await file.chmod(mode);
  await file.sync();
  return { kind: "file", path, sizeBytes: size, sha256: hash.digest("hex") };
}

function compare(promised: readonly BackupEntry[], found: ReadonlyMap<string, BackupEntry>): void {
  if (promised.length !== found.size)
    throw notABackup(`it has ${found.size} entries, its manifest ${promised.length}`);
  for (const entry of promised) {
    if (JSON.stringify(found.get(entry.path)) !== JSON.stringify(entry))
      throw notABackup(`${entry.path} is not what the manifest says`);
  }
}

/** Made last, so that no file is ever written through one. */
async function makeLinks(folder: string, entries: readonly BackupEntry[]): Promise<void> {
  for (const entry of entries) {
    if (entry.kind !== "link") continue;
    await mkdir(dirname(join(folder, entry.path)), { recursive: true, mode: 0o700 });
    await symlink(entry.target, join(folder, entry.path));
  }
}

async function collect(entry: AsyncIterable<unknown>, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of entry) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.length;
    if (size > limitBytes) throw notABackup("its header or manifest is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Faults of the disk stay what they are; what zlib and tar say is about the file. */
function toRefusal(error: unknown): unknown {
  const code = errorCode(error) ?? "";
  const isFile =
    code === "" ? !(error instanceof Error && "cause" in error) : /^(ZSTD|Z_|ERR_)/.test(code);
  if (
    !isFile ||
    (error instanceof Error && /^(This is no whole|The backup is)/.test(error.message))
  )
    return error;
  return notABackup(describe(error), error);
}
