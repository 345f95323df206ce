import { spawn } from "node:child_process";
import { Duplex, type Readable } from "node:stream";
import { packEnvironment } from "./environment.ts";

/** A program to start, with its paths as the program sees them. */
export type Launch = {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** `PATH`, the platform's own Node first. */
  readonly path: string;
  readonly home: string;
  readonly tmp: string;
  /** Where the secrets are, when that is not `/var/openfaas/secrets`. */
  readonly secrets?: string;
  /** True when `sandbox/enter.sh` starts it: the environment is sent over file descriptor 3. */
  readonly enters: boolean;
};

export type Exit = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all. */
  readonly problem?: string;
};

export type StartedProcess = {
  /** What it prints: standard output and standard error. */
  readonly output: readonly Readable[];
  /** The outermost process, whose death ends all of it; absent when it could not be started. */
  readonly pid: number | undefined;
  /** Resolves once, when the process is gone; never rejects. */
  readonly ended: Promise<Exit>;
  /** Signal the function: SIGTERM asks it to finish, SIGKILL ends it and its children. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** After the end: kill children that outlived the function. */
  killRest(): void;
};

/** `PATH` of the platform's own helpers; a deployment never has a say in it. */
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Start a program with exactly this environment, in a process group of its own. */
export function startProcess(
  launch: Launch,
  env: Readonly<Record<string, string>>,
): StartedProcess {
  const child = spawn(launch.file, launch.args, {
    cwd: launch.cwd,
    env: launch.enters ? { PATH: SYSTEM_PATH } : env,
    stdio: ["ignore", "pipe", "pipe", launch.enters ? "pipe" : "ignore"],
    detached: true,
  });
  const ended = new Promise<Exit>((resolve) => {
    child.once("error", ({ message }) => resolve({ code: null, signal: null, problem: message }));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const channel = child.stdio[3];
  const inner =
    channel instanceof Duplex && child.pid !== undefined
      ? openChannel(channel, `${child.pid}\n${packEnvironment(env)}`)
      : undefined;

  return {
    output: [child.stdout, child.stderr].filter((stream) => stream !== null),
    killRest() {
      // With a PID namespace the kernel has done it.
      if (!launch.enters && child.pid !== undefined) killOne(-child.pid, "SIGKILL");
    },
    pid: child.pid,
    ended,
    kill(signal) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      // What the function has started finishes under it; at the end all of it goes.
      if (!launch.enters) return killOne(signal === "SIGTERM" ? child.pid : -child.pid, signal);
      inner?.kill(signal);
      // `unshare` ignores SIGTERM, and killing it takes the replica's whole world along.
      if (signal === "SIGKILL") killOne(child.pid, signal);
    },
  };
}

/** Send what `sandbox/enter.sh` reads; returns a way to signal the process that it reports. */
function openChannel(channel: Duplex, text: string): { kill(signal: NodeJS.Signals): void } {
  let reported = "";
  let wanted: NodeJS.Signals | undefined;
  // A replica that dies early closes the channel; its exit tells the story.
  channel.on("error", () => {});
  channel.setEncoding("utf8").on("data", (chunk: string) => {
    reported += chunk;
    if (wanted !== undefined) kill(wanted);
  });
  channel.end(text);
  return { kill };

  function kill(signal: NodeJS.Signals): void {
    // What was asked for before the report came is done when it comes.
    wanted = signal;
    if (/^\d+\n/.test(reported)) killOne(Number.parseInt(reported, 10), signal);
  }
}

function killOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, which is what was wanted.
  }
}

/** `exited with code 1`, `was killed by SIGKILL`, `could not be started: spawn python3 ENOENT`. */
export function formatExit({ code, signal, problem }: Exit): string {
  if (problem !== undefined) return `could not be started: ${problem}`;
  return signal === null ? `exited with code ${code ?? "unknown"}` : `was killed by ${signal}`;
}

/** Ended by SIGKILL, itself or the process that it stands for (a shell reports that as 128 + 9). */
export function isKill({ code, signal }: Exit): boolean {
  return signal === "SIGKILL" || code === 137;
}
