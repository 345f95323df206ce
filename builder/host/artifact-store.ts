import { chmod, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "#sdk/durable-file.ts";
import { errorCode } from "#sdk/errors.ts";
import { type MeasuredTree, mapAtMost, measureTree } from "./measure-tree.ts";

/** What the process engine starts a function from: `<data>/artifacts/<hex>/artifact.json` and `root/`. */
export type ArtifactManifest = {
  readonly v: 1;
  /** First word `node` is the platform's Node, `watchdog` our watchdog; run in `root/`. */
  readonly command: readonly string[];
  /** Template's own name. */
  readonly lang: string;
  /** Below what the deployment sets. */
  readonly env: Readonly<Record<string, string>>;
};

export type StoredArtifact = {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** False when it was there already. */
  readonly fresh: boolean;
};

export type ArtifactStore = {
  /** Move a finished folder into the store under its digest; complete or not there at all. */
  keep(folder: string, maxBytes: number): Promise<StoredArtifact>;
  /** False when there was nothing to remove. */
  remove(digest: string): Promise<boolean>;
  /**
   * Remove what is not in `keep` and was not built or built again within `minimumAgeMs`, so that a build
   * whose release is not recorded yet stays. Returns the digests that went.
   */
  sweep(keep: ReadonlySet<string>, minimumAgeMs?: number): Promise<readonly string[]>;
};

const SYNCED_AT_ONCE = 16;
const MINIMUM_AGE_MS = 30 * 60_000;

export function createArtifactStore(folder: string): ArtifactStore {
  return {
    async keep(built, maxBytes) {
      const tree = await measureTree(built, maxBytes);
      const digest = `sha256:${tree.hex}`;
      const home = join(folder, tree.hex);
      if (await touch(home)) return { digest, sizeBytes: tree.sizeBytes, fresh: false };
      await syncTree(tree);
      await mkdir(folder, { recursive: true });
      const fresh = await moveTo(built, home);
      await syncFolder(folder);
      return { digest, sizeBytes: tree.sizeBytes, fresh };
    },

    async remove(digest) {
      return removeHome(join(folder, toHex(digest)));
    },

    async sweep(keep, minimumAgeMs = MINIMUM_AGE_MS) {
      const removed: string[] = [];
      for (const hex of await listHomes(folder)) {
        const digest = `sha256:${hex}`;
        if (keep.has(digest) || (await ageOf(join(folder, hex))) < minimumAgeMs) continue;
        if (await removeHome(join(folder, hex), minimumAgeMs)) removed.push(digest);
      }
      return removed;
    },
  };
}

/** Its time says when it was last built; false when it is not there. */
async function touch(home: string): Promise<boolean> {
  const now = new Date();
  return utimes(home, now, now).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    },
  );
}

/** Content first, names after, so that the rename shows only what is on disk. */
async function syncTree({ files, folders }: MeasuredTree): Promise<void> {
  await mapAtMost(SYNCED_AT_ONCE, files, settleFile);
  await mapAtMost(SYNCED_AT_ONCE, folders, settleFolder);
}

/** Modes are the digest's, whatever the umask: replicas run as other users. */
async function settleFile({ path, mode }: MeasuredTree["files"][number]): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function settleFolder(path: string): Promise<void> {
  await chmod(path, 0o755);
  await syncFolder(path);
}

/** False when another build of the same content was faster. */
async function moveTo(built: string, home: string): Promise<boolean> {
  try {
    await rename(built, home);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOTEMPTY" || errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Renamed first, so that half an artefact is never found under its digest. A build of the same content may
 * have come just before the rename and taken it for there: then it is young, and goes back.
 */
async function removeHome(home: string, minimumAgeMs = 0): Promise<boolean> {
  const doomed = `${home}.removed`;
  try {
    await rename(home, doomed);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
  if ((await ageOf(doomed)) < minimumAgeMs && (await moveTo(doomed, home))) return false;
  await rm(doomed, { recursive: true, force: true });
  return true;
}

async function listHomes(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  // What a crash left half removed.
  const doomed = names.filter((name) => name.endsWith(".removed"));
  await Promise.all(doomed.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  return names.filter((name) => /^[0-9a-f]{64}$/.test(name));
}

async function ageOf(home: string): Promise<number> {
  const { mtimeMs } = await stat(home);
  return Date.now() - mtimeMs;
}

function toHex(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new Error(`"${digest}" is not "sha256:" and 64 hex digits.`);
  return hex;
}
