import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { promisify } from "node:util";
import { parseCores } from "#sdk/cores.ts";

const run = promisify(execFile);

export type Process = {
  readonly pid: number;
  /** Words of its command line. */
  readonly command: readonly string[];
};

/** A process and all that it started, directly or not. */
export async function listTree(root: number): Promise<readonly Process[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(
    await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid)] as const)),
  );
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === root || isBelow(parents.get(pid)));
  return Promise.all(
    pids.filter(isBelow).map(async (pid) => ({ pid, command: await commandOf(pid) })),
  );
}

/** Keep a process, all its threads included, on one core. */
export async function pin(pid: number, core: number): Promise<void> {
  await run("taskset", ["--all-tasks", "--cpu-list", "--pid", String(core), String(pid)]);
}

/**
 * Before all others whenever it wants a core, as root: what it waits for one is not what it measures. It has a
 * session of its own, among which Linux shares the cores.
 */
export async function putFirst(pid: number): Promise<void> {
  if (process.getuid?.() !== 0) return;
  setPriority(pid, constants.priority.PRIORITY_HIGHEST);
  // A kernel without such groups shares them among processes.
  await writeFile(`/proc/${pid}/autogroup`, String(constants.priority.PRIORITY_HIGHEST)).catch(
    () => {},
  );
}

/** Cores that this process may use. */
export async function listCores(): Promise<readonly number[]> {
  return parseCores(await readFile("/proc/self/status", "utf8"));
}

/** Proportional set size in bytes; 0 when the process has ended meanwhile. */
export async function pssOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1_024;
}

async function parentOf(pid: number): Promise<number | undefined> {
  // A process that has ended meanwhile is nobody's child.
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name in parentheses may hold anything.
  const parent = text.slice(text.lastIndexOf(")") + 2).split(" ")[1];
  return parent === undefined ? undefined : Number(parent);
}

async function commandOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return text.split("\0").filter((word) => word !== "");
}
