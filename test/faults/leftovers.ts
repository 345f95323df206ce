import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { isAlive, listRunning, type Running } from "./processes.ts";

/** Names that only exist while something is under way. */
const UNFINISHED = /\.(lock|tmp|removed|part)$|^tmp_|\.old-|^quarantine|^tmp_objdir/;
/** Folders that are empty when nothing runs. */
const EMPTY = ["builder/work", "engine/processes", "run/fn"];

/**
 * What a stopped platform has left behind: processes it ever had below it or that work in its folders,
 * locks, temporary files, half artefacts. Sentences; none when all is well.
 */
export async function findLeftovers(
  dataFolder: string,
  temporaryFolder: string,
  everSeen: Iterable<Running>,
): Promise<string[]> {
  const processes = [
    ...[...everSeen].filter(isAlive),
    ...listRunning().filter(({ words, folder }) => `${words} ${folder}`.includes(dataFolder)),
  ];
  const entries = await readdir(dataFolder, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  const unfinished = entries
    .filter(({ name }) => UNFINISHED.test(name))
    .map((entry) => relative(dataFolder, join(entry.parentPath, entry.name)));
  return [
    ...new Set(processes.map(({ pid, words }) => `process ${pid} is left: ${words}`)),
    ...unfinished.map((path) => `${path} is left`),
    ...(await Promise.all(EMPTY.map((folder) => listIn(join(dataFolder, folder))))).flat(),
    ...(await listIn(temporaryFolder)),
    ...(await findHalfArtifacts(dataFolder, paths)),
  ];
}

async function findHalfArtifacts(dataFolder: string, paths: readonly string[]): Promise<string[]> {
  const folder = join(dataFolder, "artifacts");
  const there = new Set(paths);
  // Images are artefacts elsewhere.
  const names = await readdir(folder).catch(() => []);
  return names
    .filter(
      (name) =>
        !/^[0-9a-f]{64}$/.test(name) ||
        !there.has(join(folder, name, "artifact.json")) ||
        !there.has(join(folder, name, "root")),
    )
    .map((name) => `artifacts/${name} is not whole`);
}

async function listIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  // The engine keeps its mount point for the next start.
  return names.filter((name) => name !== "root").map((name) => `${join(folder, name)} is left`);
}
