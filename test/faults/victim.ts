import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { listDescendants, type Running } from "./processes.ts";

const MAIN = join(import.meta.dirname, "../../cli/main.ts");

/** A platform process that is there to be killed. */
export type Victim = {
  readonly pid: number;
  /** True once it said `ready`, false when it ended before. */
  readonly ready: Promise<boolean>;
  /** Its signal or exit code. */
  readonly gone: Promise<string>;
  isGone(): boolean;
  /** Everything it printed for people and, as JSON lines, for programs. */
  said(): string;
  /** Everything that runs below it now. */
  children(): Running[];
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<string>;
};

export type VictimOptions = {
  readonly dataFolder: string;
  readonly port: number;
  readonly engine?: "process" | "docker";
  readonly env: Readonly<Record<string, string>>;
  /** File that its log is appended to. */
  readonly log: string;
};

/** Start `ofc up` and come back at once. */
export function startVictim(options: VictimOptions): Victim {
  const { dataFolder, port, engine = "process", env, log } = options;
  const args = ["up", "--port", String(port), "--data", dataFolder, "--engine", engine];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pid = child.pid ?? 0;
  let said = "";
  let exited = false;
  const file = createWriteStream(log, { flags: "a" });
  file.write(`\n=== ${new Date().toISOString()} up, ${JSON.stringify(env)}\n`);
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipe(file, { end: false });
    stream.on("data", (chunk: Buffer) => (said = `${said}${chunk}`.slice(-65_536)));
  }
  const gone = once(child, "exit").then(([code, signal]) => {
    exited = true;
    child.stdout.unpipe(file);
    child.stderr.unpipe(file);
    file.end();
    return String(signal ?? code);
  });
  const ready = new Promise<boolean>((resolve) => {
    createInterface({ input: child.stdout }).on(
      "line",
      (line) => line.startsWith("ready ") && resolve(true),
    );
    void gone.then(() => resolve(false));
  });

  return {
    pid,
    ready,
    gone,
    isGone: () => exited,
    said: () => said,
    children: () => listDescendants(pid),
    kill(signal) {
      child.kill(signal);
      return gone;
    },
  };
}
