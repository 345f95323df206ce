import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { withDeathSignal } from "#sdk/death-signal.ts";
import { describe, errorCode } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";

const run = promisify(execFile);
const RESTART_WAIT_MS = 200;
const RESTART_MAX_WAIT_MS = 5_000;
/** A child that lived this long is restarted at once. */
const STEADY_MS = 10_000;
const STOP_WAIT_MS = 5_000;
/** Lines of a child's output that are kept for its obituary. */
const TAIL_CHARACTERS = 2_000;

export type Program = {
  /** For the log: `redis-server`. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Where its pid is noted, so that a left-over of a killed platform is found. */
  readonly pidFile: string;
  /** A part of its command line that no other program has: its data folder. */
  readonly mark: string;
  readonly env: Readonly<Record<string, string>>;
};

export type Supervised = {
  /** Its pid now, for tests and people. */
  pid(): number | undefined;
  /** SIGKILL it; its keeper starts it again. */
  restart(): void;
  /** SIGTERM, then SIGKILL. */
  stop(): Promise<void>;
};

/** Keep a child program running until `stop`. It ends with this process, even when that is killed. */
export async function supervise(program: Program, log: Log): Promise<Supervised> {
  await endLeftOver(program, log);
  let stopping = false;
  let life = await start(program);
  const ended = keep();

  return {
    pid: () => life.child.pid,
    restart: () => void life.child.kill("SIGKILL"),
    async stop() {
      stopping = true;
      life.child.kill("SIGTERM");
      const killer = setTimeout(() => life.child.kill("SIGKILL"), STOP_WAIT_MS);
      await ended;
      clearTimeout(killer);
      await rm(program.pidFile, { force: true });
    },
  };

  async function keep(): Promise<void> {
    let waitMs = RESTART_WAIT_MS;
    for (;;) {
      const startedAt = Date.now();
      const why = await life.ended;
      if (stopping) return;
      log.error("queue-store-died", { program: program.name, why });
      if (Date.now() - startedAt > STEADY_MS) waitMs = RESTART_WAIT_MS;
      await wait(waitMs);
      if (stopping) return;
      waitMs = Math.min(waitMs * 2, RESTART_MAX_WAIT_MS);
      const next = await start(program).catch((error: unknown) => describe(error));
      // A disk that is full or read-only for now is no reason to end the platform.
      life = typeof next === "string" ? { ...life, ended: Promise.resolve(next) } : next;
      // `stop` came while it was started, and signalled the one before.
      if (stopping) life.child.kill("SIGTERM");
      if (typeof next !== "string")
        log.info("queue-store-restarted", { program: program.name, pid: life.child.pid });
    }
  }
}

type Life = {
  readonly child: ChildProcess;
  /** Resolves with why it ended and the end of what it printed. */
  readonly ended: Promise<string>;
};

async function start({ file, args, env, pidFile }: Program): Promise<Life> {
  const guarded = withDeathSignal({ file, args });
  // Its stdin ends with this process: a program may watch that where pdeathsig is not there.
  const child = spawn(guarded.file, [...guarded.args], { stdio: ["pipe", "pipe", "pipe"], env });
  const ended = obituary(child);
  try {
    if (child.pid !== undefined) await writeFile(pidFile, String(child.pid), { mode: 0o600 });
  } catch (error) {
    // What is not noted would not be found after a kill.
    child.kill("SIGKILL");
    await ended;
    throw error;
  }
  return { child, ended };
}

function obituary(child: ChildProcess): Promise<string> {
  let tail = "";
  const note = (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-TAIL_CHARACTERS);
  };
  child.stdout?.on("data", note);
  child.stderr?.on("data", note);
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(`${signal ?? `exit ${code}`} ${tail.trim()}`));
  });
}

/** Two servers on one data folder would destroy it. A pid is only trusted with our mark in its command line. */
async function endLeftOver({ name, pidFile, mark }: Program, log: Log): Promise<void> {
  const pid = Number(await readIfThere(pidFile));
  if (!Number.isInteger(pid) || pid < 2 || !(await isOurs(pid, mark))) return;
  log.warn("queue-store-left-over", { program: name, pid, next: "it is ended" });
  process.kill(pid, "SIGKILL");
  while (await isOurs(pid, mark)) await wait(10);
}

async function isOurs(pid: number, mark: string): Promise<boolean> {
  const commandLine =
    process.platform === "linux"
      ? await readIfThere(`/proc/${pid}/cmdline`)
      : await readCommandLine(pid);
  return commandLine.includes(mark);
}

/** Empty when there is no such process: `ps` ends with 1 then. */
async function readCommandLine(pid: number): Promise<string> {
  const { stdout } = await run("ps", ["-ww", "-o", "command=", "-p", String(pid)]).catch(() => ({
    stdout: "",
  }));
  return stdout;
}

async function readIfThere(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ESRCH") return "";
    throw error;
  });
}
