import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { access, chmod, glob, lstat, mkdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { writeDurably } from "#sdk/durable-file.ts";
import { bringForward, FORMATS, type Formats, readFormat } from "./data-format.ts";

/** A Unix socket's path holds 107 bytes; the longest name below the run folder needs about 40. */
const RUN_FOLDER_LIMIT = 66;

export type DataFolder = {
  readonly path: string;
  readonly secrets: string;
  /** Unix sockets; below the data folder unless its path is too long for them. */
  readonly run: string;
  /** True when this start made the folder. */
  readonly fresh: boolean;
  /** Let go of the lock. */
  unlock(): void;
};

/** Folder inside the data folder that is there while a restore is not finished. */
export const RESTORING = "restoring";

/** Another process has the lock. */
export class DataFolderInUse extends Error {
  override readonly name = "DataFolderInUse";
}

/**
 * Open the data folder for the life of the platform: lock it, check its format, make what is missing.
 * A second platform on the same folder, a half-finished restore, or a newer format is refused with a sentence.
 */
export async function openDataFolder(
  path: string,
  formats: Formats = FORMATS,
): Promise<DataFolder> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const unlock = lockDataFolder(path);
  try {
    await refuseHalfRestored(path);
    const fresh = await checkFormat(path, formats);
    const run = runFolderOf(path);
    for (const folder of ["secrets", "run", "objects", "git", "artifacts", "engine"]) {
      await mkdir(join(path, folder), { recursive: true, mode: 0o700 });
    }
    await mkdir(run, { recursive: true, mode: 0o700 });
    await refuseForeignFolder(run);
    await removeUnfinished(path);
    await makeSecrets(join(path, "secrets"));
    return { path, secrets: join(path, "secrets"), run, fresh, unlock };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Files that `writeDurably` had not renamed yet, and mirrors that were put aside to be deleted. */
const UNFINISHED = [
  ...["*.tmp", "run/*.tmp", "objects/**/*.tmp", "secrets/*.tmp", "builder/*.tmp"],
  ...["engine/docker/*.tmp", "git/hooks/*.tmp", "git/forge/*.git/*.tmp"],
  "git/mirrors/*/*.git.old-*",
];

/** What a platform that was killed has not finished; the lock is held, so nobody else is at it. */
async function removeUnfinished(path: string): Promise<void> {
  for await (const entry of glob(UNFINISHED, { cwd: path }))
    await rm(join(path, entry), { recursive: true, force: true });
}

/** Where the sockets of the platform on this data folder are. */
export function runFolderOf(path: string): string {
  const inside = join(path, "run");
  if (Buffer.byteLength(inside) <= RUN_FOLDER_LIMIT) return inside;
  const name = createHash("sha256").update(path).digest("hex").slice(0, 12);
  return join(tmpdir(), `ofc-${process.getuid?.() ?? 0}-${name}`);
}

/**
 * Keep every other platform off the folder until the returned function is called. SQLite's file lock goes
 * with the process, however it ends; a pid file would not. Throws DataFolderInUse.
 */
export function lockDataFolder(path: string): () => void {
  const database = new DatabaseSync(join(path, "lock"), { timeout: 0 });
  try {
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT;",
    );
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked/.test(error.message)) {
      throw new DataFolderInUse(
        `Another platform runs on ${path}; stop it first, or give this one its own folder with --data DIR.`,
      );
    }
    throw new Error(`The data folder ${path} cannot be locked`, { cause: error });
  }
  return () => database.close();
}

async function refuseHalfRestored(path: string): Promise<void> {
  const isThere = await access(join(path, RESTORING)).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new Error(
      `A restore into ${path} was not finished. Run ./ofc restore again, or remove the folder to start anew.`,
    );
}

/** True when the folder is new. */
async function checkFormat(path: string, formats: Formats): Promise<boolean> {
  const found = await readFormat(path);
  if (found === undefined) await writeDurably(join(path, "format"), `${formats.newest}\n`, 0o644);
  else await bringForward(path, found, formats);
  return found === undefined;
}

/** Somebody else could have made the folder below the shared temp folder first. */
async function refuseForeignFolder(path: string): Promise<void> {
  // Not stat: a link would lead the chmod elsewhere.
  const found = await lstat(path);
  if (!found.isDirectory())
    throw new Error(`${path} is not a folder; remove it or use a shorter --data path.`);
  const mine = process.getuid?.();
  if (mine !== undefined && found.uid !== mine)
    throw new Error(
      `${path} belongs to user id ${found.uid}, not to this one; remove it or use a shorter --data path.`,
    );
  await chmod(path, 0o700);
}

/** Secrets of a first start, 0600; what is there already is kept. */
async function makeSecrets(folder: string): Promise<void> {
  const random = () => randomBytes(32).toString("hex");
  const makers: Readonly<Record<string, () => string>> = {
    "basic-auth-user": () => "admin",
    "basic-auth-password": random,
    "payload-secret": random,
    "github-webhook-secret": random,
    "forge-webhook-secret": random,
    // Any 32 bytes are a key of Curve25519; written as `faas-cli secret keygen` writes it.
    "build-key": () => randomBytes(32).toString("base64"),
    "private-key": () =>
      generateKeyPairSync("rsa", { modulusLength: 2048 })
        .privateKey.export({ type: "pkcs8", format: "pem" })
        .toString(),
  };
  for (const [name, make] of Object.entries(makers)) {
    const path = join(folder, name);
    const there = await stat(path).then(
      ({ size }) => size > 0,
      () => false,
    );
    if (!there) await writeDurably(path, `${make().trim()}\n`, 0o600);
  }
}
