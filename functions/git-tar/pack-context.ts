import { pack as createPack, type Header, type Pack } from "tar-stream";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { BuildConfig } from "#sdk/messages.ts";
import type { Template } from "#sdk/templates.ts";
import { listUserFiles } from "./context-files.ts";
import { type Context, type ContextEntry, foldersOf, layOutContext } from "./lay-out-context.ts";
import type { TreeEntry } from "./list-tree.ts";
import type { Mirror } from "./mirror.ts";
import type { Blob, BlobReader } from "./open-blobs.ts";

export type PackInput = {
  readonly mirror: Mirror;
  /** Every file of the commit. */
  readonly tree: readonly TreeEntry[];
  readonly planned: Pick<PlannedFunction, "name" | "handler" | "copy">;
  /** `undefined` when the function brings its own Dockerfile. */
  readonly template: Template | undefined;
  readonly config: BuildConfig;
  readonly signal: AbortSignal;
};

const CONFIG_FILE = "com.openfaas.docker.config";
/** The first whole day that ZIP files can name, wherever on earth they are written. */
const MODIFIED = new Date(Date.UTC(1980, 0, 2));
const CHUNK_BYTES = 64 * 1024;

/**
 * The tar that the builder takes (spec/faas-cli.md section 8.1): settings first, then `context/…`, read
 * from the object database while it is sent. Owners, times and modes are fixed, so equal commits give
 * equal bytes. Rejects with StackError before the first byte when the files cannot be a context.
 */
export async function packContext(input: PackInput): Promise<ReadableStream<Uint8Array>> {
  const files = listUserFiles(input.tree, input.planned);
  const blobs = input.mirror.openBlobs(input.signal);
  try {
    const context = await layOutContext(files, input.template, blobs);
    return ReadableStream.from(tarBytes(context, input.config, blobs));
  } catch (error) {
    blobs.close();
    throw error;
  }
}

/** Chunks of some size: a header of 512 bytes is not worth a write to a socket. */
async function* tarBytes(
  context: Context,
  config: BuildConfig,
  blobs: BlobReader,
): AsyncGenerator<Uint8Array> {
  const tar = createPack();
  const writing = writeAll(tar, context, config, blobs).catch((error: unknown) =>
    tar.destroy(toError(error)),
  );
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  try {
    // The library types its chunks as unknown; a pack gives bytes.
    for await (const chunk of tar as AsyncIterable<Uint8Array>) {
      waiting.push(chunk);
      bytes += chunk.length;
      if (bytes < CHUNK_BYTES) continue;
      yield Buffer.concat(waiting);
      [waiting, bytes] = [[], 0];
    }
    if (bytes > 0) yield Buffer.concat(waiting);
    await writing;
  } finally {
    tar.destroy();
    blobs.close();
  }
}

async function writeAll(tar: Pack, context: Context, config: BuildConfig, blobs: BlobReader) {
  const settings = Buffer.from(JSON.stringify(config));
  await write(tar, { name: CONFIG_FILE, mode: 0o600, size: settings.length }, [settings]);
  await write(tar, { name: "context", type: "directory", mode: 0o755 }, []);

  const contents = blobs.stream(
    [...context.values()].flatMap((entry) => (entry.kind === "blob" ? [entry.id] : [])),
  );
  const made = new Set<string>();
  for (const [path, entry] of context) {
    for (const folder of foldersOf(path)) {
      if (made.has(folder)) continue;
      made.add(folder);
      await write(tar, { name: `context/${folder}`, type: "directory", mode: 0o755 }, []);
    }
    await writeEntry(tar, `context/${path}`, entry, contents);
  }
  tar.finalize();
}

async function writeEntry(
  tar: Pack,
  name: string,
  entry: ContextEntry,
  contents: AsyncGenerator<Blob>,
): Promise<void> {
  if (entry.kind === "link")
    return write(tar, { name, type: "symlink", linkname: entry.target, mode: 0o777 }, []);
  const { mode } = entry;
  if (entry.kind === "content")
    return write(tar, { name, mode, size: entry.content.length }, [entry.content]);
  const { value, done } = await contents.next();
  if (done) throw new Error(`No content came for ${name}.`);
  await write(tar, { name, mode, size: value.sizeBytes }, value.chunks);
}

async function write(
  tar: Pack,
  header: Partial<Header> & Pick<Header, "name">,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<void> {
  const { promise: written, resolve, reject } = Promise.withResolvers<void>();
  // It is awaited below, unless the chunks themselves fail first.
  written.catch(() => {});
  const entry = tar.entry({ uid: 0, gid: 0, mtime: MODIFIED, ...header }, (error) =>
    error ? reject(error) : resolve(),
  );
  entry.on("error", reject);
  for await (const chunk of chunks) {
    if (entry.write(chunk)) continue;
    await Promise.race([
      new Promise<void>((drained) => entry.once("drain", () => drained())),
      written,
    ]);
  }
  entry.end(undefined);
  await written;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
