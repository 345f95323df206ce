import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A process as it is told apart from a later one with the same number. */
export type ProcessIdentity = {
  /** `/proc/sys/kernel/random/boot_id`. */
  readonly boot: string;
  readonly pid: number;
  /** Clock ticks since boot: field 22 of `/proc/<pid>/stat`. */
  readonly startTime: number;
};

type ProcessEntry = { readonly pid: number; readonly session: number; readonly startTime: number };

export type Leftovers = {
  /** Remember a started replica until `forget`; survives kill -9 of the platform. */
  remember(id: string, pid: number): void;
  forget(id: string): void;
  /** Kill what an earlier platform left running and return the process ids. */
  sweep(): Promise<number[]>;
};

/** Remembered processes are one small file each in `folder`. */
export function createLeftovers(folder: string): Leftovers {
  return {
    remember(id, pid) {
      const entry = readEntry(pid);
      if (entry === undefined) return;
      const identity = { boot: readBootId(), pid, startTime: entry.startTime };
      writeFileSync(join(folder, id), JSON.stringify(identity), { mode: 0o600 });
    },
    forget: (id) => rmSync(join(folder, id), { force: true }),
    async sweep() {
      const ids = await readdir(folder);
      const identities = await Promise.all(ids.map((id) => readIdentity(join(folder, id))));
      const known = identities.filter((identity) => identity !== undefined);
      const killed = selectLeftovers(known, await listProcesses(), readBootId());
      for (const pid of killed) kill(pid);
      await awaitGone(killed);
      for (const id of ids) rmSync(join(folder, id), { force: true });
      return killed;
    },
  };
}

/**
 * Processes to kill: the remembered ones and every member of their sessions. A number that was given to
 * another process since (other boot, other start time) selects nothing.
 */
export function selectLeftovers(
  identities: readonly ProcessIdentity[],
  running: readonly ProcessEntry[],
  boot: string,
): number[] {
  const leaders = identities.filter((identity) => {
    const now = running.find(({ pid }) => pid === identity.pid);
    return identity.boot === boot && (now === undefined || now.startTime === identity.startTime);
  });
  return running
    .filter(({ session, startTime }) =>
      leaders.some((leader) => session === leader.pid && startTime >= leader.startTime),
    )
    .map(({ pid }) => pid);
}

/**
 * Fields of `/proc/<pid>/stat`; the name in parentheses may hold anything (proc_pid_stat(5)). `undefined`
 * for a process that has ended and only waits to be noticed.
 */
export function parseStat(text: string): ProcessEntry | undefined {
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (/^[ZX]$/.test(fields[0] ?? "")) return undefined;
  const session = Number(fields[3]);
  const startTime = Number(fields[19]);
  return Number.isInteger(pid) && Number.isInteger(session) && Number.isInteger(startTime)
    ? { pid, session, startTime }
    : undefined;
}

function readEntry(pid: number): ProcessEntry | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

function readBootId(): string {
  return readText("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";
}

/** The text of a file, or `undefined` where it is not there (no such process, or no /proc at all). */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return isIdentity(value) ? value : undefined;
  } catch {
    // Half written when the platform died; the process died of its death signal.
    return undefined;
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return (
    typeof value === "object" &&
    value !== null &&
    "boot" in value &&
    typeof value.boot === "string" &&
    "pid" in value &&
    typeof value.pid === "number" &&
    "startTime" in value &&
    typeof value.startTime === "number"
  );
}

async function listProcesses(): Promise<ProcessEntry[]> {
  const names = await readdir("/proc").catch((): string[] => []);
  return names
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readEntry(Number(name)))
    .filter((entry) => entry !== undefined);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended between the listing and now.
  }
}

async function awaitGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 2_000;
  while (Date.now() < deadline && pids.some((pid) => readEntry(pid) !== undefined)) await sleep(10);
}
