import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe } from "./errors.ts";
import { findProgram, STANDARD_PATH } from "./find-program.ts";
import type { Log } from "./log.ts";

const run = promisify(execFile);
/** What this process was given when it started, before it took less for itself; empty on other systems. */
const ALL = parseCores(
  process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "",
);
/** What is left to it while functions are called. */
const FEWER = ALL.slice(0, -1);
const TASKSET = findProgram("taskset", STANDARD_PATH);
/** How long after the last call one core stays free for the next, in milliseconds. */
const QUIET_MS = 10_000;

export type CoreSharing = {
  /** Functions are being called: for some seconds one core is theirs alone. */
  leaveOne(): void;
  close(): Promise<void>;
};

/**
 * Keep this process, and what it starts from then on, off the last core while functions are called: a call that
 * finds every core taken by a push waits for its turn, which Linux gives it after milliseconds. Programs that
 * serve calls are started by this one as well and get every core back by `useAllCores`.
 */
export function shareCores(log: Log, quietMs = QUIET_MS): CoreSharing {
  let timer: NodeJS.Timeout | undefined;
  let change = Promise.resolve();
  // A kernel that lists no children (CONFIG_PROC_CHILDREN) could not give functions their cores back.
  const lists = existsSync(`/proc/self/task/${process.pid}/children`);
  const able = FEWER.length > 0 && lists;

  return {
    leaveOne() {
      if (!able || TASKSET === undefined) return;
      if (timer === undefined) queue(() => setCores(TASKSET, process.pid, FEWER));
      clearTimeout(timer);
      timer = setTimeout(takeAll, quietMs).unref();
    },
    async close() {
      clearTimeout(timer);
      await change;
    },
  };

  function takeAll(): void {
    timer = undefined;
    queue(() => useAllCores(process.pid));
  }

  /** One after the other; a machine that refuses goes on as it was. */
  function queue(step: () => Promise<void>): void {
    change = change
      .then(step)
      .catch((error: unknown) => log.warn("cores-not-shared", { error: describe(error) }));
  }
}

/** Let a program that was started on fewer cores than this process was, and all that it has started, use them all. */
export async function useAllCores(pid: number | undefined): Promise<void> {
  if (pid === undefined || TASKSET === undefined || !(await isOnFewer(pid))) return;
  try {
    await setCores(TASKSET, pid, ALL);
  } catch (error) {
    // Unless it has ended meanwhile.
    if (await isOnFewer(pid)) throw error;
  }
  // What it starts from here on has all; what it had started before is found.
  for (const child of await listChildren(pid)) await useAllCores(child);
}

async function setCores(taskset: string, pid: number, cores: readonly number[]): Promise<void> {
  await run(taskset, ["--all-tasks", "--cpu-list", "--pid", cores.join(","), String(pid)]);
}

/** Somebody else's choice is left as it is. */
async function isOnFewer(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return FEWER.length > 0 && parseCores(status).join() === FEWER.join();
}

/** `0-2,5` as the kernel writes it, of `/proc/<pid>/status`. */
export function parseCores(status: string): readonly number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  return (list?.split(",") ?? []).flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** Children of all its threads. */
async function listChildren(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((id) => readFile(`/proc/${pid}/task/${id}/children`, "utf8").catch(() => "")),
  );
  return lists
    .flatMap((list) => list.split(" "))
    .filter(Boolean)
    .map(Number);
}
