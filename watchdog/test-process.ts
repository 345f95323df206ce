import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Answer, type AskOptions, ask } from "./test-client.ts";

export type Running = {
  readonly child: ChildProcess;
  readonly socketPath: string;
  ask(path: string, options?: AskOptions): Promise<Answer>;
  /** Everything on standard output and error so far. */
  output(): string;
  /** Exit code, once it ended. */
  readonly ended: Promise<number | null>;
};

type Context = { teardown(run: () => Promise<void>): void };

export const WATCHDOG = fileURLToPath(new URL("main.ts", import.meta.url));

/** Start a server with `--listen <socket>` and wait until it is healthy; the test's end stops it. */
export async function startServer(
  t: Context,
  [file, ...args]: readonly [string, ...string[]],
  { env = {}, cwd = "/", healthy = true }: StartOptions = {},
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-watchdog-"));
  const socketPath = join(folder, "http.sock");
  const child = spawn(file, [...args, "--listen", socketPath], {
    cwd,
    // biome-ignore lint/style/noProcessEnv: the programs of this machine are what is tested
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const ended = new Promise<number | null>((resolve) => {
    // Its last words may arrive after it; a grandchild that holds the pipes must not keep us waiting.
    child.once("exit", (code) => setTimeout(() => resolve(code), OUTPUT_GRACE_MS));
    child.once("close", (code) => resolve(code));
  });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  const running: Running = {
    child,
    socketPath,
    ask: (path, options) => ask(socketPath, path, options),
    output: () => output,
    ended,
  };
  if (healthy) await poll(() => isHealthyYet(running));
  return running;
}

async function isHealthyYet(running: Running): Promise<boolean> {
  const { exitCode } = running.child;
  if (exitCode !== null) throw new Error(`The server ended with ${exitCode}: ${running.output()}`);
  return await isHealthy(running);
}

const OUTPUT_GRACE_MS = 1_000;

export type StartOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** False does not wait. */
  readonly healthy?: boolean;
};

/** The watchdog itself, with `mode` and `fprocess` in `env`. */
export function startWatchdogProcess(
  t: Context,
  env: Readonly<Record<string, string>>,
  options: Omit<StartOptions, "env"> = {},
): Promise<Running> {
  return startServer(t, [process.execPath, WATCHDOG], { ...options, env });
}

/** Try every 20 ms until it holds; rejects after `limitMs`. */
export async function poll(
  holds: () => boolean | Promise<boolean>,
  limitMs = 15_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${limitMs} ms: ${holds}`);
    await wait(20);
  }
}

export async function isHealthy({ socketPath }: Pick<Running, "socketPath">): Promise<boolean> {
  return ask(socketPath, "/_/health").then(
    ({ status }) => status === 200,
    () => false,
  );
}
