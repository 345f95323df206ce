import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";

export type WalSync = {
  /** A commit that was not synced stands in the log. */
  wrote(): void;
  /**
   * Resolves once everything that was committed before the call is on the disk; calls that meet share one
   * `fdatasync`. After one that failed nobody knows what the kernel dropped: from then on it rejects, and a
   * restart reads what is there.
   */
  synced(): Promise<void>;
  close(): Promise<void>;
};

/** Bring what SQLite wrote into `<path>-wal` onto the disk in Node's thread pool, while others are served. */
export function createWalSync(
  path: string,
  openWal: (path: string) => Promise<Syncing> = openLog,
): WalSync {
  let written = 0;
  let onDisk = 0;
  let opened: Promise<Syncing> | undefined;
  let running: Promise<void> | undefined;

  return {
    wrote() {
      written += 1;
    },
    async synced() {
      const mine = written;
      while (onDisk < mine) {
        running ??= sync();
        await running;
      }
    },
    async close() {
      const [, log] = await Promise.allSettled([running, opened]);
      if (log.status === "fulfilled") await log.value?.close();
    },
  };

  /** What failed stays in `running`. */
  async function sync(): Promise<void> {
    const upTo = written;
    opened ??= openWal(path);
    await (await opened).datasync();
    onDisk = upTo;
    running = undefined;
  }
}

type Syncing = Pick<FileHandle, "datasync" | "close">;

/** SQLite syncs the folder with its first synced commit, which may come later. */
async function openLog(path: string): Promise<Syncing> {
  const folder = await open(dirname(path), "r");
  await folder.sync().finally(() => folder.close());
  return open(`${path}-wal`, "r");
}
