import { createReadStream } from "node:fs";
import { appendFile, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LogLine, LogQuery } from "#provider/provider.ts";
import { errorCode } from "#sdk/errors.ts";
import { createLineQueue } from "./line-queue.ts";

/** The bounded log of one function: two files, the newer growing to half of `limitBytes`. */
export type FunctionLog = {
  /** Add lines; resolves once they are written, so that a flood of output waits for the disk. */
  append(instance: string, texts: readonly string[], time?: string): Promise<void>;
  /** Of all replicas, or of those of one version. */
  read(query: Omit<LogQuery, "name">, version?: string): AsyncIterable<LogLine>;
  /** The newest lines of one replica. */
  tail(instance: string, count: number): Promise<string[]>;
  /** Time of the newest line of one replica. */
  lastTime(instance: string): Promise<string | undefined>;
  /** Erase what is kept; later lines begin a new log. */
  remove(): Promise<void>;
};

type Watcher = (line: LogLine) => void;
type Selection = Pick<LogQuery, "instance" | "tail" | "since"> & { readonly version?: string };

export function createFunctionLog(
  folder: string,
  identity: { readonly name: string; readonly namespace: string },
  limitBytes: number,
): FunctionLog {
  const newer = join(folder, "newer.ndjson");
  const older = join(folder, "older.ndjson");
  const watchers = new Set<Watcher>();
  let pending: LogLine[] = [];
  let writing: Promise<void> | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let sizeBytes: number | undefined;

  return {
    append(instance, texts, timestamp = new Date().toISOString()) {
      for (const text of texts) pending.push({ ...identity, instance, timestamp, text });
      writing ??= inTurn(flush);
      return writing;
    },

    async *read(asked, version) {
      const query = version === undefined ? asked : { ...asked, version };
      const queue = createLineQueue(query.signal);
      const watch: Watcher = (line) => {
        if (matches(line, query)) queue.push(line);
      };
      try {
        // Read and begin to watch between two writes: no line is missed and none comes twice.
        const kept = await inTurn(async () => {
          await flush();
          const lines = await readKept(query);
          if (query.follow) watchers.add(watch);
          return lines;
        });
        yield* kept;
        if (query.follow) yield* queue.lines();
      } finally {
        watchers.delete(watch);
      }
    },

    async tail(instance, count) {
      return (await readLast(instance, count)).map(({ text }) => text);
    },

    async lastTime(instance) {
      return (await readLast(instance, 1))[0]?.timestamp;
    },

    remove: () =>
      inTurn(async () => {
        pending = [];
        sizeBytes = undefined;
        await rm(folder, { recursive: true, force: true });
      }),
  };

  /** Run one at a time, in order. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  }

  function readLast(instance: string, tail: number): Promise<LogLine[]> {
    return inTurn(async () => {
      await flush();
      return readKept({ instance, tail });
    });
  }

  async function flush(): Promise<void> {
    const lines = pending;
    pending = [];
    writing = undefined;
    if (lines.length === 0) return;
    await makeRoom();
    const data = lines.map((line) => `${formatLine(line)}\n`).join("");
    await appendFile(newer, data, { mode: 0o600 });
    sizeBytes = (sizeBytes ?? 0) + Buffer.byteLength(data);
    for (const line of lines) for (const watch of watchers) watch(line);
  }

  async function makeRoom(): Promise<void> {
    if (sizeBytes === undefined) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      sizeBytes = await stat(newer).then(({ size }) => size, absentAs(0));
      // A crash may have left half a line, which must not swallow the next.
      if (sizeBytes > 0) await appendFile(newer, "\n");
    }
    if (sizeBytes < limitBytes / 2) return;
    await rename(newer, older);
    sizeBytes = 0;
  }

  /** Matching lines of both files, the last `tail` of them, oldest first. */
  async function readKept(query: Selection): Promise<LogLine[]> {
    const kept: LogLine[] = [];
    const most = query.tail ?? Number.POSITIVE_INFINITY;
    for (const file of [older, newer]) {
      for await (const text of readLines(file)) {
        const line = parseLine(text, identity);
        if (line === undefined || !matches(line, query)) continue;
        kept.push(line);
        if (kept.length > most) kept.shift();
      }
    }
    return kept;
  }
}

function matches(line: LogLine, { instance, since, version }: Selection): boolean {
  if (version !== undefined && !line.instance.startsWith(`${version}-`)) return false;
  if (instance !== undefined && line.instance !== instance) return false;
  return since === undefined || line.timestamp >= since.toISOString();
}

function formatLine({ timestamp, instance, text }: LogLine): string {
  return JSON.stringify([timestamp, instance, text]);
}

/** `undefined` for the half line that a crash left. */
function parseLine(
  line: string,
  identity: { readonly name: string; readonly namespace: string },
): LogLine | undefined {
  try {
    const [timestamp, instance, text]: unknown[] = JSON.parse(line);
    if (typeof timestamp !== "string" || typeof instance !== "string" || typeof text !== "string")
      return undefined;
    return { ...identity, instance, timestamp, text };
  } catch {
    return undefined;
  }
}

async function* readLines(file: string): AsyncGenerator<string> {
  const found = await stat(file).then(() => true, absentAs(false));
  if (!found) return;
  yield* createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
}

/** For `catch`: a file that is not there is this value; other failures stay failures. */
function absentAs<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (errorCode(error) === "ENOENT") return value;
    throw error;
  };
}
