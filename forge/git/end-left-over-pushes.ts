import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Longest wait for one that was killed, in milliseconds. */
const END_LIMIT_MS = 2_000;

/**
 * End what a killed platform left of pushes: a pack that is still checked would move its ref after the start has
 * compared them, and nobody would hear of it. Their pushers are told already that it broke off. Answers the pids;
 * none where there is no /proc, and where they end by themselves.
 */
export async function endLeftOverPushes(folder: string): Promise<readonly number[]> {
  const root = await realpath(folder);
  const pids = await listPushes(root);
  for (const pid of pids) endProcess(pid);
  const deadline = performance.now() + END_LIMIT_MS;
  while (performance.now() < deadline && (await listPushes(root)).length > 0) await sleep(10);
  return pids;
}

async function listPushes(root: string): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => ((await isPush(pid, root)) ? [pid] : [])),
  );
  return found.flat();
}

/** Somebody's own git in that folder is left alone, unless it receives. */
async function isPush(pid: number, root: string): Promise<boolean> {
  try {
    const folder = await readlink(join("/proc", String(pid), "cwd"));
    if (!folder.startsWith(root + sep)) return false;
    const words = await readFile(join("/proc", String(pid), "cmdline"), "utf8");
    return /\/git-http-backend\0|\0(receive-pack|index-pack|unpack-objects)\0/.test(words);
  } catch {
    // It ended meanwhile, or is another user's.
    return false;
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
