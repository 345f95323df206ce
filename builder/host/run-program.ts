import { type ChildProcess, spawn } from "node:child_process";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { withDeathSignal } from "#sdk/death-signal.ts";
import { HttpError } from "#sdk/errors.ts";
import { yieldCpu } from "#sdk/yield-cpu.ts";

export type Program = {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Root hands the program to this user and group. */
  readonly user?: number;
};

/** Bytes after which a line without an end is told as if it had one. */
const LINE_LIMIT = 64 * 1024;

/**
 * Run a program to its end and tell its output line by line. Rejects with the signal's reason after
 * killing its whole process group, and with 503 when something else kills the program (the kernel, for want
 * of memory): that says nothing of what it was to do. Resolves with its exit code.
 */
export async function runProgram(
  program: Program,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const { file, args } = withDeathSignal(program);
  const child = spawn(file, args, {
    cwd: program.cwd,
    env: program.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...(program.user === undefined ? {} : { uid: program.user, gid: program.user }),
  });
  yieldCpu(child.pid);
  const kill = () => killGroup(child);
  signal.addEventListener("abort", kill, { once: true });
  try {
    const [end] = await Promise.all([ended(child), tellLines(child, tell)]);
    signal.throwIfAborted();
    if (typeof end === "string")
      throw new HttpError(503, "killed", `${basename(program.file)} was killed by ${end}.`);
    return end;
  } finally {
    signal.removeEventListener("abort", kill);
    // Whatever the program left behind goes with it.
    killGroup(child);
  }
}

function ended(child: ChildProcess): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, by) => {
      // A grandchild that keeps the pipes open would keep the build waiting.
      killGroup(child);
      resolve(by ?? code ?? 0);
    });
  });
}

async function tellLines(child: ChildProcess, tell: (line: string) => void): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  await Promise.all(streams.map((stream) => tellLinesOf(stream, tell)));
}

async function tellLinesOf(stream: Readable, tell: (line: string) => void): Promise<void> {
  let rest = "";
  for await (const text of stream.setEncoding("utf8")) {
    const lines = `${rest}${text}`.split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) tell(line);
    if (rest.length > LINE_LIMIT) tell(rest);
    if (rest.length > LINE_LIMIT) rest = "";
  }
  if (rest !== "") tell(rest);
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
