import { cp, type FileHandle, open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "#sdk/errors.ts";
import { addTree } from "./add-tree.ts";
import type { Archive } from "./write-archive.ts";

const REDIS = "queue/redis/appendonlydir";
const POSTGRES = "queue/postgres";
const ATTEMPTS = 50;
const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type QueueTools = {
  readonly dataFolder: string;
  readonly runFolder: string;
  /** An empty folder for copies. */
  readonly staging: string;
  /** Whether a platform runs, and with it the store. */
  readonly running: boolean;
};

/** Add accepted calls, when the platform keeps them itself: each as it would be found after a crash now. */
export async function addQueue(archive: Archive, tools: QueueTools): Promise<string> {
  if (await addRedis(archive, tools.dataFolder)) return "the private Redis";
  if (await addPostgres(archive, tools)) return "the embedded Postgres";
  return "none here; a Redis of REDIS_URL has its own backups";
}

/**
 * Redis only ever appends to the files that its manifest names, and removes one only after the manifest
 * has changed. So: open them all, see that the manifest is still the same, and read as far as they go.
 */
async function addRedis(archive: Archive, dataFolder: string): Promise<boolean> {
  const folder = join(dataFolder, REDIS);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const manifest = await readManifest(folder);
    if (manifest === undefined) return false;
    const files = await openAll(folder, manifest);
    if (files === undefined) continue;
    try {
      if ((await readManifest(folder))?.text !== manifest.text) continue;
      await addFolders(archive, dataFolder, REDIS);
      for (const [name, handle] of files) await archive.addOpen(handle, `${REDIS}/${name}`);
      return true;
    } finally {
      for (const handle of files.values()) await handle.close();
    }
  }
  throw new Error("Redis rewrites its files all the time; run the backup again.");
}

type Manifest = { readonly name: string; readonly text: string };

/** Lines such as `file appendonly.aof.1.base.rdb seq 1 type b`. */
async function readManifest(folder: string): Promise<Manifest | undefined> {
  const name = (await namesIn(folder)).find((one) => one.endsWith(".manifest"));
  if (name === undefined) return undefined;
  return { name, text: await readFile(join(folder, name), "utf8") };
}

/** `undefined` when Redis replaced one meanwhile. */
async function openAll(
  folder: string,
  { name, text }: Manifest,
): Promise<Map<string, FileHandle> | undefined> {
  const files = new Map<string, FileHandle>();
  const named = [...text.matchAll(/^file "?([\w.-]+)"? /gm)].map(([, one = ""]) => one);
  try {
    for (const one of [name, ...named]) files.set(one, await open(join(folder, one)));
    return files;
  } catch (error) {
    for (const handle of files.values()) await handle.close();
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Its files are changed in place, so its process is halted while they are copied; calls wait meanwhile. */
async function addPostgres(archive: Archive, tools: QueueTools): Promise<boolean> {
  const { dataFolder, runFolder, staging, running } = tools;
  const from = join(dataFolder, POSTGRES);
  if (!(await namesIn(from)).includes("PG_VERSION")) return false;
  const copy = join(staging, POSTGRES);
  const copyNow = () => cp(from, copy, { recursive: true });
  if (running) await halting(await findPostgres(runFolder, from), copyNow);
  else await copyNow();
  await addFolders(archive, dataFolder, "queue");
  await addTree(archive, staging, POSTGRES, (path) => path.endsWith("/postmaster.pid"));
  return true;
}

/** It goes on also when this command is interrupted; after a SIGKILL of it, when its keeper misses it. */
async function halting(pid: number, work: () => Promise<void>): Promise<void> {
  const goOn = () => void process.kill(pid, "SIGCONT");
  const interrupted = (signal: NodeJS.Signals) => {
    goOn();
    process.exit(signal === "SIGINT" ? 130 : 143);
  };
  for (const signal of INTERRUPTS) process.on(signal, interrupted);
  process.kill(pid, "SIGSTOP");
  try {
    await work();
  } finally {
    goOn();
    for (const signal of INTERRUPTS) process.off(signal, interrupted);
  }
}

/** The pid that the platform noted, when that process works on this very folder. */
async function findPostgres(runFolder: string, folder: string): Promise<number> {
  const pid = Number(await readFile(join(runFolder, "postgres.pid"), "utf8").catch(() => ""));
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (Number.isInteger(pid) && pid > 1 && line.split("\0").includes(folder)) return pid;
  throw new Error(
    "The embedded Postgres of the running platform was not found, so accepted calls cannot be copied; stop the platform, or run the backup again once it is up.",
  );
}

async function addFolders(archive: Archive, dataFolder: string, path: string): Promise<void> {
  const parts = path.split("/");
  for (const [index] of parts.entries()) {
    const folder = parts.slice(0, index + 1).join("/");
    if (!archive.has(folder)) await archive.add(join(dataFolder, folder), folder);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
}
