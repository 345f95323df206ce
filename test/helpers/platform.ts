import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const project = join(import.meta.dirname, "../..");

export type RunningPlatform = {
  /** `http://127.0.0.1:<port>/` */
  readonly url: string;
  readonly dataFolder: string;
  readonly pid: number;
  /** What `up` printed for people. */
  readonly words: readonly string[];
  /** JSON log lines, parsed. */
  readonly log: readonly Record<string, unknown>[];
  /** Run an `ofc` command against it, unless `--data` says otherwise; rejects with what it printed when it fails. */
  ofc(command: string, ...args: string[]): Promise<string>;
  /** SIGTERM, and wait for the end. */
  stop(): Promise<number | null>;
  /** SIGKILL the platform process alone, as a crash would. */
  kill(): Promise<void>;
};

export type PlatformOptions = {
  readonly dataFolder?: string;
  readonly engine?: "auto" | "process" | "docker";
  /** `demo` is `up` with a push before it is ready. */
  readonly command?: "up" | "demo";
  readonly env?: Record<string, string>;
  /** Program and arguments that start it as somebody else; `dataFolder` is theirs then. */
  readonly as?: readonly string[];
};

/** Start `ofc up` as a process of its own on a free port and wait for its `ready` line. */
export async function startPlatform(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const dataFolder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), "ofc-test-")));
  const env = { ...process.env, ...options.env };
  // A machine with Docker must not decide what is tested.
  const engine = ["--engine", options.engine ?? "process"];
  const { command = "up" } = options;
  const args = [command, "--port", "0", "--data", dataFolder, ...engine];
  const child = spawnOfc(args, env, options.as);
  const ended = once(child, "exit");
  const words: string[] = [];
  const log: Record<string, unknown>[] = [];
  const raw: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    raw.push(line);
    if (line.startsWith("{")) log.push(JSON.parse(line) as Record<string, unknown>);
  });

  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      words.push(line);
      if (line.startsWith("ready ")) resolve(`${line.slice("ready ".length)}/`);
    });
    child.once("exit", (code) =>
      reject(new Error(`up ended with ${code}:\n${words.join("\n")}\n${raw.join("\n")}`)),
    );
  });
  return {
    url,
    dataFolder,
    pid: child.pid ?? 0,
    words,
    log,
    ofc: (command, ...args) => runOfc([command, "--data", dataFolder, ...args], env),
    async stop() {
      child.kill("SIGTERM");
      const [code] = await ended;
      return code as number | null;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Remove a platform's data folder; replicas' files may belong to another user for a moment. */
export async function removeData(dataFolder: string): Promise<void> {
  await rm(dataFolder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function spawnOfc(args: readonly string[], env: NodeJS.ProcessEnv, as: readonly string[] = []) {
  const ofc = ["--disable-warning=ExperimentalWarning", join(project, "cli/main.ts"), ...args];
  const [program = process.execPath, ...rest] = [...as, process.execPath, ...ofc];
  return spawn(program, rest, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  }) satisfies ChildProcess;
}

async function runOfc(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawnOfc(args, env);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said += chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(said);
  return said;
}
