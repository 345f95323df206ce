import { access, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openLedger } from "#ledger/ledger.ts";
import { errorCode } from "#sdk/errors.ts";
import { formatBytes } from "#sdk/format-bytes.ts";
import { DataFolderInUse, lockDataFolder, runFolderOf } from "../platform/data-folder.ts";
import { RELEASE } from "../platform/release.ts";
import { addQueue } from "./add-queue.ts";
import { addRepositories } from "./add-repositories.ts";
import { addTree, isTemporary, type Skip } from "./add-tree.ts";
import { BACKUP_VERSION, type BackupHeader } from "./backup-format.ts";
import { createStep, type Step } from "./report-step.ts";
import { snapshotDatabase } from "./snapshot-database.ts";
import { type Archive, writeArchive } from "./write-archive.ts";

export type BackupOptions = {
  readonly dataFolder: string;
  /** Must not exist. */
  readonly file: string;
  /** One line for people. */
  readonly say: (text: string) => void;
};

export type BackupReport = BackupHeader & {
  readonly file: string;
  /** Of the file. */
  readonly sizeBytes: number;
  /** Of what is in it. */
  readonly dataBytes: number;
  readonly entries: number;
  /** Whether a platform ran on the folder meanwhile. */
  readonly running: boolean;
};

/**
 * Copy everything that cannot be made again into one file, while a platform runs on the folder or while
 * none does. What is in it fits together as if the platform had been killed at that moment.
 */
export async function backUp({ dataFolder, file, say }: BackupOptions): Promise<BackupReport> {
  await refuseExisting(file);
  const header = await readHeader(dataFolder);
  const lock = tryLock(dataFolder);
  const running = lock === undefined;
  try {
    return await writeBackup({ dataFolder, file, say }, header, running);
  } finally {
    lock?.();
  }
}

async function writeBackup(
  { dataFolder, file, say }: BackupOptions,
  header: BackupHeader,
  running: boolean,
): Promise<BackupReport> {
  const staging = await makeStaging(file);
  try {
    const entries = await writeArchive(file, header, (archive) =>
      addEverything(archive, { dataFolder, staging, running, step: createStep(say) }),
    );
    const files = entries.filter((entry) => entry.kind === "file");
    return {
      ...header,
      file,
      sizeBytes: (await stat(file)).size,
      dataBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      entries: entries.length,
      running,
    };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Beside the file, because there is room. */
async function makeStaging(file: string): Promise<string> {
  return mkdtemp(join(dirname(file), ".ofc-backup-")).catch((cause: unknown) => {
    const next = "make it, or name another file";
    throw new Error(`The folder of ${file} cannot be written to; ${next}`, { cause });
  });
}

async function refuseExisting(file: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) throw new Error(`${file} is there already; name another file, or remove it first.`);
}

async function readHeader(dataFolder: string): Promise<BackupHeader> {
  const [format, engine] = await Promise.all(
    ["format", "engine/kind"].map((name) => readFile(join(dataFolder, name), "utf8")),
  ).catch((error: unknown) => {
    throw new Error(`${dataFolder} is not a platform's data folder; name one with --data DIR.`, {
      cause: error,
    });
  });
  return {
    v: BACKUP_VERSION,
    format: Number(format),
    release: RELEASE.release,
    engine: engine?.trim() ?? "",
    createdAt: new Date().toISOString(),
  };
}

/** `undefined` while a platform runs; otherwise none starts until it is let go. */
function tryLock(dataFolder: string): (() => void) | undefined {
  try {
    return lockDataFolder(dataFolder);
  } catch (error) {
    if (error instanceof DataFolderInUse) return undefined;
    throw error;
  }
}

type Tools = {
  readonly dataFolder: string;
  readonly staging: string;
  readonly running: boolean;
  readonly step: Step;
};

/**
 * The order is what makes it fit together. Records before what they name, because what is named is made
 * first and outlives its record; artefacts, which take long, mostly before them, so that the records and
 * the artefacts that came meanwhile are read within a moment of each other.
 */
async function addEverything(archive: Archive, tools: Tools): Promise<void> {
  const { dataFolder, staging, running, step } = tools;
  const counted = (count: number, what: string) => `${count} ${what}`;
  const artifacts = () => addArtifacts(archive, dataFolder);
  await step("artefacts", artifacts, (count) => counted(count, "artefacts"));
  await step("records", () => snapshotRecords(archive, tools), formatBytes);
  await step("newer", artifacts, (count) => `${count} artefacts that came meanwhile`);
  await step("ledger", () => addLedger(archive, tools), formatBytes);
  await step(
    "forge",
    () => addRepositories(archive, dataFolder),
    (count) => counted(count, "repositories"),
  );
  await step(
    "objects",
    () => addTree(archive, dataFolder, "objects", isTemporary),
    ({ added }) => counted(added, "build logs and their folders"),
  );
  const runFolder = runFolderOf(dataFolder);
  await step(
    "queue",
    () => addQueue(archive, { dataFolder, runFolder, staging, running }),
    (where) => `accepted calls: ${where}`,
  );
}

/** Folders of digests; what a sweep is removing has another name already. */
async function addArtifacts(archive: Archive, dataFolder: string): Promise<number> {
  const names = await readdir(join(dataFolder, "artifacts")).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  if (!archive.has("artifacts")) await archive.add(join(dataFolder, "artifacts"), "artifacts");
  const fresh = names.filter(
    (name) => /^[0-9a-f]{64}$/.test(name) && !archive.has(`artifacts/${name}`),
  );
  for (const name of fresh) await addTree(archive, dataFolder, `artifacts/${name}`);
  return fresh.length;
}

/** What an engine knows of this machine's processes and containers. */
const MACHINES_OWN: ReadonlySet<string> = new Set(["engine/processes", "engine/docker"]);

/**
 * What changes with every push, within a few milliseconds. A record that is behind the next one is caught
 * up at the start: the forge sends again what the ledger knows, the ledger declares again what the engine has.
 */
async function snapshotRecords(archive: Archive, { dataFolder, staging }: Tools): Promise<number> {
  await snapshotDatabase(join(dataFolder, "git/forge.db"), join(staging, "forge.db"));
  await snapshotDatabase(join(dataFolder, "ledger.db"), join(staging, "ledger.db"));
  const skip: Skip = (path) => MACHINES_OWN.has(path) || isTemporary(path);
  await addTree(archive, dataFolder, "engine", skip);
  await addTree(archive, dataFolder, "secrets", isTemporary);
  await archive.add(join(dataFolder, "format"), "format");
  await archive.add(join(dataFolder, "git"), "git");
  await archive.add(join(staging, "forge.db"), "git/forge.db");
  return (await stat(join(staging, "ledger.db"))).size;
}

/** An artefact that was swept away before it was read is built again rather than promised. */
async function addLedger(archive: Archive, { staging }: Tools): Promise<number> {
  const path = join(staging, "ledger.db");
  const ledger = openLedger({ path });
  for (const { ownerId, key, digest } of ledger.listArtifacts()) {
    const hex = digest.replace("sha256:", "");
    if (!archive.has(`artifacts/${hex}/artifact.json`)) ledger.forgetArtifact(ownerId, key);
  }
  ledger.close();
  await archive.add(path, "ledger.db");
  return (await stat(path)).size;
}
