import { createHash } from "node:crypto";
import { constants, createWriteStream } from "node:fs";
import { type FileHandle, lstat, open, readlink, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createZstdCompress } from "node:zlib";
import { pack as createPack, type Header, type Pack } from "tar-stream";
import { syncFolder } from "#sdk/durable-file.ts";
import { errorCode } from "#sdk/errors.ts";
import {
  BACKUP_VERSION,
  type BackupEntry,
  type BackupHeader,
  DATA_PREFIX,
  HEADER_NAME,
  MANIFEST_NAME,
} from "./backup-format.ts";

export type Archive = {
  /** Add what is at `from` (a file, a folder without what is in it, a link) as `path`; false when it is gone. */
  add(from: string, path: string): Promise<boolean>;
  /** Add what a handle leads to, as long as the file is now: what is appended meanwhile stays out. */
  addOpen(handle: FileHandle, path: string): Promise<void>;
  has(path: string): boolean;
};

const CHUNK_BYTES = 64 * 1024;

/**
 * Write a backup so that the file is whole or not there: a tar compressed with zstd, 0600, with the header
 * first and the manifest last. Answers what is in it.
 */
export async function writeArchive(
  file: string,
  header: BackupHeader,
  fill: (archive: Archive) => Promise<void>,
): Promise<readonly BackupEntry[]> {
  const temporary = `${file}.${process.pid}.tmp`;
  const tar = createPack();
  const output = createWriteStream(temporary, { flags: "wx", mode: 0o600, flush: true });
  const writing = pipeline(tar, createZstdCompress(), output);
  // It is awaited below, unless what is packed fails first.
  writing.catch(() => {});
  const entries = new Map<string, BackupEntry>();
  try {
    await writeJson(tar, HEADER_NAME, header);
    await fill(createArchive(tar, entries));
    await writeJson(tar, MANIFEST_NAME, { v: BACKUP_VERSION, entries: [...entries.values()] });
    tar.finalize();
    await writing;
    await rename(temporary, file);
    await syncFolder(dirname(file));
    return [...entries.values()];
  } catch (error) {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
    // A full disk ends the writing first, and the packing only as a consequence.
    const first = await writing.then(
      () => error,
      (cause: unknown) => cause,
    );
    await rm(temporary, { force: true });
    throw first;
  }
}

function createArchive(tar: Pack, entries: Map<string, BackupEntry>): Archive {
  return { add, addOpen, has: (path) => entries.has(path) };

  async function add(from: string, path: string): Promise<boolean> {
    try {
      const found = await lstat(from);
      if (found.isDirectory()) await addFolder(path, found.mode);
      else if (found.isSymbolicLink()) await addLink(path, await readlink(from));
      else if (found.isFile()) await addFile(from, path);
      return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  async function addFolder(path: string, mode: number): Promise<void> {
    await write(tar, { name: DATA_PREFIX + path, type: "directory", mode: mode & 0o777 }, []);
    entries.set(path, { kind: "folder", path });
  }

  async function addLink(path: string, target: string): Promise<void> {
    await write(tar, { name: DATA_PREFIX + path, type: "symlink", linkname: target }, []);
    entries.set(path, { kind: "link", path, target });
  }

  async function addFile(from: string, path: string): Promise<void> {
    await using handle = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
    await addOpen(handle, path);
  }

  async function addOpen(handle: FileHandle, path: string): Promise<void> {
    const { size, mode } = await handle.stat();
    const hash = createHash("sha256");
    const header = { name: DATA_PREFIX + path, mode: mode & 0o777, size };
    await write(
      tar,
      header,
      readExactly(handle, size, path, (chunk) => hash.update(chunk)),
    );
    entries.set(path, { kind: "file", path, sizeBytes: size, sha256: hash.digest("hex") });
  }
}

async function* readExactly(
  handle: FileHandle,
  size: number,
  path: string,
  see: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  for (let position = 0; position < size; ) {
    // A new buffer for each: the tar keeps it until it is compressed.
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0)
      throw new Error(`${path} became shorter while it was copied; run the backup again.`);
    const chunk = buffer.subarray(0, bytesRead);
    position += bytesRead;
    see(chunk);
    yield chunk;
  }
}

async function writeJson(tar: Pack, name: string, value: unknown): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(value));
  await write(tar, { name, mode: 0o600, size: bytes.length }, [bytes]);
}

async function write(
  tar: Pack,
  header: Partial<Header> & Pick<Header, "name">,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<void> {
  const { promise: written, resolve, reject } = Promise.withResolvers<void>();
  // It is awaited below, unless the chunks themselves fail first.
  written.catch(() => {});
  const entry = tar.entry({ uid: 0, gid: 0, ...header }, (error) =>
    error ? reject(error) : resolve(),
  );
  entry.on("error", reject);
  for await (const chunk of chunks) {
    if (entry.write(chunk)) continue;
    const drained = new Promise<void>((free) => entry.once("drain", () => free()));
    await Promise.race([drained, written]);
  }
  entry.end(undefined);
  await written;
}
