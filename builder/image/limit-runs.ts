import { access, constants, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, errorCode } from "#sdk/errors.ts";
import type { RunGroups } from "./run-groups.ts";

export type RunLimiter = {
  /** Before a build: all its steps together get no more than all builds may have. */
  prepare(): Promise<void>;
  /** While builds run, several times a second: give each new `RUN` its limits. */
  look(): Promise<void>;
};

/**
 * Limits for each `RUN`, as root: BuildKit knows none of its own. `atOnce` builds run side by side. A step is
 * found within a look; until then, and should we be late, the limit of all together holds where there is one.
 */
export function createRunLimiter(groups: readonly RunGroups[], atOnce: number): RunLimiter {
  let limited: ReadonlySet<string> = new Set();

  return {
    async prepare() {
      for (const { folder, file, limit, isOwn } of groups) {
        if (!isOwn) continue;
        await mkdir(folder, { recursive: true });
        await write(join(folder, file), limit * atOnce);
      }
    },
    async look() {
      const seen = new Set<string>();
      for (const { folder, file, limit, isRun } of groups)
        for (const name of (await listFolders(folder)).filter(isRun)) {
          const path = join(folder, name, file);
          if (limited.has(path) || (await write(path, limit))) seen.add(path);
        }
      limited = seen;
    },
  };
}

/** Why limits cannot be set, if so: a kernel without them, or a container's view of the machine. */
export async function findObstacle(groups: readonly RunGroups[]): Promise<string | undefined> {
  for (const { root } of groups)
    try {
      await access(join(root, "cgroup.procs"), constants.W_OK);
    } catch (error) {
      return describe(error);
    }
  return undefined;
}

/** Whether it is in force; a group that is not ready, or gone already, is seen again or not. */
async function write(path: string, limit: number): Promise<boolean> {
  try {
    await writeFile(path, String(limit));
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENODEV") return false;
    // It has more memory already, and cannot give it back.
    if (code === "EBUSY") return killAll(path);
    throw error;
  }
}

/** What the kernel does with a group that wants more than its limit. */
async function killAll(path: string): Promise<false> {
  const pids = await readFile(join(path, "../cgroup.procs"), "utf8").catch(() => "");
  for (const pid of pids.split("\n").filter((line) => line !== "")) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (errorCode(error) !== "ESRCH") throw error;
    }
  }
  return false;
}

async function listFolders(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
