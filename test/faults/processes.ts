import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { parseStat } from "../../provider/process/leftovers.ts";

/** A running process, told apart from a later one with the same number by its start. */
export type Running = {
  readonly pid: number;
  readonly parent: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
  /** Arguments, joined by spaces. */
  readonly words: string;
  readonly folder: string;
};

/** What a killed process was, for the report. */
export type Kind = "gateway" | "queue" | "git" | "installer" | "function";

/** All processes of this machine that have not ended. */
export function listRunning(): Running[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readRunning(Number(name)))
    .filter((running) => running !== undefined);
}

/** The children of a process, theirs, and so on. */
export function listDescendants(pid: number): Running[] {
  const all = listRunning();
  const found: Running[] = [];
  let parents = new Set([pid]);
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map((child) => child.pid));
  }
  return found;
}

export function isAlive({ pid, startTime }: Running): boolean {
  return readRunning(pid)?.startTime === startTime;
}

export function kindOf({ words, folder }: Running): Kind {
  if (words.includes("gateway/main.ts")) return "gateway";
  if (/redis-server|queue\/embedded/.test(words)) return "queue";
  // A push's hook is a shell and then a `cat`, in its repository.
  if (/(^|\/)git[ -]/.test(words) || /\/git\/forge\/\d+\.git$/.test(folder)) return "git";
  if (/\bnpm\b|\bpip\b/.test(words)) return "installer";
  return "function";
}

function readRunning(pid: number): Running | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const entry = parseStat(stat);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    return entry && { pid, parent, startTime: entry.startTime, words, folder };
  } catch {
    // It ended while it was read.
    return undefined;
  }
}
