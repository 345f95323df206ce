import { FetchError } from "./fetch-error.ts";
import type { MirrorOptions } from "./mirror.ts";
import { markBroken } from "./mirror-folder.ts";
import { type RunningGit, startGit } from "./run-git.ts";

/** One blob's content; read it to its end before asking for the next. */
export type Blob = {
  readonly id: string;
  readonly sizeBytes: number;
  readonly chunks: AsyncIterable<Buffer>;
};

/** One `git cat-file --batch`. Ask one thing at a time; `close` ends the process. */
export type BlobReader = {
  /** Blobs in the order of `ids`, asked for ahead of reading. */
  stream(ids: readonly string[]): AsyncGenerator<Blob>;
  /** A whole blob in memory. */
  read(id: string): Promise<Buffer>;
  close(): void;
};

const LF = 10;
const HEADER = /^([0-9a-f]{40}) blob (\d+)$/;
const AHEAD = 64;

/** Start reading blobs of a mirror. Failures are FetchErrors `broken`. */
export function openBlobs({ folder, environment }: MirrorOptions, signal: AbortSignal): BlobReader {
  const git = startGit({ folder, environment, signal, args: ["cat-file", "--batch"] });
  const output = readBytes(git, stopped);
  let isClosed = false;

  async function stopped(reason: string): Promise<never> {
    signal.throwIfAborted();
    if (isClosed) throw new Error("The blob reader was closed while it was read.");
    await markBroken(folder);
    throw new FetchError("broken", "the commit's files cannot be read", {
      cause: new Error(reason),
    });
  }

  async function* stream(ids: readonly string[]): AsyncGenerator<Blob> {
    let asked = 0;
    for (const [index, id] of ids.entries()) {
      for (; asked < Math.min(index + AHEAD, ids.length); asked++)
        git.stdin.write(`${ids[asked]}\n`);
      const line = await output.line();
      const sizeBytes = parseHeader(line, id) ?? (await stopped(line.slice(0, 200)));
      const chunks = output.take(sizeBytes);
      yield { id, sizeBytes, chunks };
      for await (const _ of chunks);
      await output.line();
    }
  }

  return {
    stream,
    async read(id) {
      const parts: Buffer[] = [];
      for await (const blob of stream([id])) {
        for await (const chunk of blob.chunks) parts.push(chunk);
      }
      return Buffer.concat(parts);
    },
    close() {
      isClosed = true;
      git.stdin.end();
      git.kill();
    },
  };
}

/** The size that git announces for this blob, `undefined` when it announces anything else. */
function parseHeader(line: string, id: string): number | undefined {
  const [, found, size] = HEADER.exec(line) ?? [];
  return found === id ? Number(size) : undefined;
}

type Bytes = {
  /** Up to the next line feed, without it. */
  line(): Promise<string>;
  /** Exactly so many bytes; going on after a break continues where it stopped. */
  take(count: number): AsyncIterable<Buffer>;
};

/** Pull bytes from git's output, which pauses git when nobody does. */
function readBytes(git: RunningGit, stopped: (reason: string) => Promise<never>): Bytes {
  const chunks: AsyncIterator<Buffer> = git.stdout[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);

  async function more(): Promise<void> {
    const { done, value } = await chunks.next();
    if (!done) {
      rest = value;
      return;
    }
    await stopped((await git.ended).stderr);
  }

  return {
    async line() {
      const parts: Buffer[] = [];
      while (!rest.includes(LF)) {
        parts.push(rest);
        await more();
      }
      const end = rest.indexOf(LF);
      parts.push(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      return Buffer.concat(parts).toString();
    },
    take(count) {
      let left = count;
      return {
        async *[Symbol.asyncIterator]() {
          while (left > 0) {
            if (rest.length === 0) await more();
            const chunk = rest.subarray(0, left);
            rest = rest.subarray(chunk.length);
            left -= chunk.length;
            yield chunk;
          }
        },
      };
    },
  };
}
