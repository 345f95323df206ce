import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { UnixMs } from "#ledger/types/unix-ms.ts";
import type { Engine } from "#provider/provider.ts";
import type { Log } from "#sdk/log.ts";
import { dropMirror } from "../../functions/git-tar/drop-mirror.ts";
import { foldersAt } from "./find-caches.ts";
import { entriesOf, measureFolder } from "./measure-folder.ts";

export type LeftoverTools = {
  readonly dataFolder: string;
  readonly ledger: Pick<Ledger, "listOpen" | "listServing" | "ownerOfFunction">;
  readonly engine: Pick<Engine, "list">;
  readonly settings: {
    /** How long what nothing needs is kept. */
    readonly keepUnusedMs: number;
  };
  readonly log: Log;
};

/** Remove what functions and repositories that are gone have left on the disk; answers the paths. */
export async function collectLeftovers(
  tools: LeftoverTools,
  now: UnixMs,
): Promise<readonly string[]> {
  const logs = await findLogs(tools);
  for (const path of logs) await rm(path, { force: true });
  const mirrors = await findMirrors(tools, now);
  for (const path of mirrors) await dropMirror(path);
  for (const path of [...logs, ...mirrors]) tools.log.info("leftover-dropped", { path });
  return [...logs, ...mirrors];
}

/**
 * Files in `engine/logs/<function>/` of functions that are not deployed: a removal was killed half-way. The
 * folder stays: an engine that wrote to it may do so again.
 */
async function findLogs({ dataFolder, ledger, engine }: LeftoverTools): Promise<string[]> {
  const paths = await foldersAt(join(dataFolder, "engine/logs"), 1);
  // Asked after the folders: a function that is deployed meanwhile is among these.
  const known = new Set([
    ...(await engine.list()).map(({ name }) => name),
    ...ledger.listOpen().flatMap(({ plan }) => plan?.functions.map(({ service }) => service) ?? []),
  ]);
  const orphaned: string[] = [];
  for (const path of paths) {
    const name = basename(path);
    if (known.has(name) || ledger.ownerOfFunction(name) !== undefined) continue;
    orphaned.push(...(await entriesOf(path)).map((entry) => join(path, entry.name)));
  }
  return orphaned;
}

/** `git/mirrors/<scm>/<numeric id>.git` of repositories of which nothing serves and nothing is built. */
async function findMirrors(
  { dataFolder, ledger, settings }: LeftoverTools,
  now: UnixMs,
): Promise<string[]> {
  const paths = await foldersAt(join(dataFolder, "git/mirrors"), 2);
  const needed = new Set(
    [...ledger.listServing({}), ...ledger.listOpen()].map(({ repositoryId }) => repositoryId),
  );
  const unused: string[] = [];
  for (const path of paths.filter((one) => one.endsWith(".git"))) {
    if (needed.has(`${basename(dirname(path))}:${basename(path, ".git")}`)) continue;
    if (now - (await measureFolder(path)).usedAt >= settings.keepUnusedMs) unused.push(path);
  }
  return unused;
}
