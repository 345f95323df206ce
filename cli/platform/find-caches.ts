import { rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Ledger } from "#ledger/types/ledger.ts";
import { dropMirror } from "../../functions/git-tar/drop-mirror.ts";
import type { Evictable } from "./decide-garbage.ts";
import { entriesOf, measureFolder } from "./measure-folder.ts";

/** End of the name of what is being removed. */
const REMOVED = ".removed";

export type Cache = Evictable & {
  readonly kind: "mirror" | "packages" | "build-log" | "function-log";
  /** Whose log it is, where somebody's. */
  readonly ownerId?: string;
  readonly drop: () => Promise<void>;
};

export type CacheLedger = Pick<Ledger, "listOpen" | "listServing" | "ownerOfFunction">;

/**
 * Mirrors, package caches of builds, build logs, and what functions printed, with their sizes. In use are
 * the logs of builds that serve or have not ended, and the newer half of each function's. Repositories of
 * the forge are nobody's cache.
 */
export async function findCaches(
  dataFolder: string,
  ledger: CacheLedger,
): Promise<readonly Cache[]> {
  const mirrors = await foldersAt(join(dataFolder, "git/mirrors"), 2);
  const packages = await foldersAt(join(dataFolder, "builder/cache"), 1);
  const caches: Cache[] = [];
  for (const path of mirrors.filter((one) => one.endsWith(".git")))
    caches.push({ ...(await measure(path, "mirror")), drop: () => dropMirror(path) });
  for (const path of packages) caches.push(await measure(path, "packages"));
  return [
    ...caches,
    ...(await findBuildLogs(dataFolder, ledger)),
    ...(await findFunctionLogs(dataFolder, ledger)),
  ];
}

/** Build logs of builds that the ledger has forgotten, and what an earlier sweep began to remove. */
export async function findForgotten(
  dataFolder: string,
  ledger: Pick<Ledger, "findBuild">,
): Promise<readonly string[]> {
  const logs = await foldersAt(join(dataFolder, "objects/v1"), 3);
  const packages = await foldersAt(join(dataFolder, "builder/cache"), 1);
  return [
    ...logs.filter((path) => ledger.findBuild(basename(path)) === undefined),
    ...packages.filter((path) => path.endsWith(REMOVED)),
  ];
}

/** Below `objects/v1/<owner id>/<repository id>/<build id>`. */
async function findBuildLogs(dataFolder: string, ledger: CacheLedger): Promise<readonly Cache[]> {
  const home = join(dataFolder, "objects/v1");
  const needed = new Set([
    ...ledger.listOpen().map(({ id }) => id),
    ...ledger.listServing({}).map(({ buildId }) => buildId),
  ]);
  const logs: Cache[] = [];
  for (const path of await foldersAt(home, 3)) {
    const [ownerId = ""] = path.slice(home.length + 1).split("/");
    logs.push({
      ...(await measure(path, "build-log")),
      ownerId,
      inUse: needed.has(basename(path)),
    });
  }
  return logs;
}

/** Two files for each function: the engine appends to the newer one and knows that the older may be gone. */
async function findFunctionLogs(
  dataFolder: string,
  ledger: CacheLedger,
): Promise<readonly Cache[]> {
  const logs: Cache[] = [];
  for (const folder of await foldersAt(join(dataFolder, "engine/logs"), 1)) {
    const holder = ledger.ownerOfFunction(basename(folder));
    const owned = holder === undefined ? {} : { ownerId: holder.ownerId };
    for (const [name, inUse] of [
      ["older.ndjson", false],
      ["newer.ndjson", true],
    ] as const) {
      const path = join(folder, name);
      const drop = () => rm(path, { force: true });
      logs.push({ ...(await measure(path, "function-log")), ...owned, inUse, drop });
    }
  }
  return logs.filter(({ bytes }) => bytes > 0);
}

async function measure(path: string, kind: Cache["kind"]): Promise<Cache> {
  const drop = () => dropFolder(path);
  return { path, kind, ...(await measureFolder(path)), inUse: false, drop };
}

/** Paths `depth` levels below a folder. */
export async function foldersAt(folder: string, depth: number): Promise<readonly string[]> {
  if (depth === 0) return [folder];
  const folders = (await entriesOf(folder)).filter((entry) => entry.isDirectory());
  const paths = folders.map(({ name }) => foldersAt(join(folder, name), depth - 1));
  return (await Promise.all(paths)).flat();
}

/** Renamed first, so that half of it is never taken for the whole. */
export async function dropFolder(path: string): Promise<void> {
  const doomed = path.endsWith(REMOVED) ? path : `${path}${REMOVED}`;
  if (doomed !== path) {
    await rm(doomed, { recursive: true, force: true });
    await rename(path, doomed);
  }
  await rm(doomed, { recursive: true, force: true });
}
