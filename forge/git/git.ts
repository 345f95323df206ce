import { execFile, spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { type Command, withDeathSignal } from "#sdk/death-signal.ts";

/** The git programs of this machine, started without anybody's configuration. */
export type Git = {
  /** Run a reading command in a bare repository; `input` goes to its standard input. */
  run(folder: string, args: readonly string[], options?: RunOptions): Promise<Buffer>;
  /** `git-http-backend`, which ends with this process: left alone, it reads on at the end of its input for ever. */
  readonly backend: Command;
  /** Environment of every git process. */
  readonly environment: Readonly<Record<string, string>>;
};

type RunOptions = {
  readonly input?: string;
  /** Most bytes of output, 64 MiB unless told; more is an error. */
  readonly limitBytes?: number;
  /** 30 s unless told. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

const ask = promisify(execFile);

/** Find git and its HTTP backend; throws with what to install. */
export async function findGit(config: Readonly<Record<string, string>>): Promise<Git> {
  const folder = (await ask("git", ["--exec-path"])).stdout.trim();
  const backend = join(folder, "git-http-backend");
  await access(backend).catch(() => {
    throw new Error(
      `${backend} is missing; install the package that brings it (git, or git-daemon on Alpine).`,
    );
  });
  const environment = cleanEnvironment(folder, config);
  const program = join(folder, "git");
  return {
    backend: withDeathSignal({ file: backend, args: [] }),
    environment,
    run: (cwd, args, options = {}) => run(program, cwd, args, environment, options),
  };
}

/** Nothing of the system's or the user's git configuration, no prompts, no other transports. */
function cleanEnvironment(
  folder: string,
  config: Readonly<Record<string, string>>,
): Record<string, string> {
  const settings = Object.entries(config).flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return {
    PATH: [folder, "/usr/local/bin", "/usr/bin", "/bin"].join(delimiter),
    HOME: "/nonexistent",
    LC_ALL: "C.UTF-8",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "none",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_CONFIG_COUNT: String(Object.keys(config).length),
    ...Object.fromEntries(settings),
  };
}

function run(
  program: string,
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { input = "", limitBytes = 64 * 1024 * 1024, timeoutMs = 30_000, signal }: RunOptions,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["--git-dir=.", ...args], {
      cwd,
      env,
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      ...(signal === undefined ? {} : { signal }),
    });
    const output: Buffer[] = [];
    let size = 0;
    let complaint = "";
    let failure: Error | undefined;
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) output.push(chunk);
      else stop(new Error(`git ${args[0]} wrote more than ${limitBytes} bytes.`));
    });
    child.stderr.on("data", (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString()}`.slice(-2_000);
    });
    child.on("error", reject);
    // Git may end before it has read everything; its exit code tells what happened.
    child.stdin.on("error", () => {});
    child.on("close", (code, signal) => {
      if (failure !== undefined) reject(failure);
      else if (code === 0) resolve(Buffer.concat(output));
      else reject(new Error(`git ${args[0]} ended with ${signal ?? code}: ${complaint.trim()}`));
    });
    child.stdin.end(input);

    function stop(error: Error): void {
      failure = error;
      child.kill("SIGKILL");
    }
  });
}
