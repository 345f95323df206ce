import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Env } from "#sdk/env.ts";
import { errorCode } from "#sdk/errors.ts";
import { yieldCpu } from "#sdk/yield-cpu.ts";

export type Credential = { readonly username: string; readonly password: string };

export type GitCall = {
  /** The bare repository; git runs in it, so that it may be renamed away under a reader. */
  readonly folder: string;
  readonly args: readonly string[];
  /** Taken from it: PATH, proxies, certificate files. */
  readonly environment: Env;
  readonly signal: AbortSignal;
  readonly credential?: Credential;
};

export type GitEnd = { readonly code: number | null; readonly stderr: string };

export type RunningGit = {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Rejects only when git could not be started. */
  readonly ended: Promise<GitEnd>;
  kill(): void;
};

const ASKPASS = fileURLToPath(new URL("askpass.sh", import.meta.url));
const PASSED_ON =
  /^(PATH|https?_proxy|HTTPS_PROXY|no_proxy|NO_PROXY|all_proxy|ALL_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|GIT_SSL_CAINFO)$/;
const STDERR_LIMIT = 16 * 1024;
const KILL_AFTER_MS = 1_000;
/** Nothing a repository holds is run, followed or obeyed, and nothing of this machine is asked. */
const CONFIG = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  // A mirror is a cache: after power loss it is fetched anew rather than synced at each push.
  "core.fsync=none",
  "core.bigFileThreshold=16m",
  "credential.helper=",
  "gc.auto=0",
  "maintenance.auto=false",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  // A server may not send git to addresses of its choice.
  "transfer.bundleURI=false",
  "http.followRedirects=false",
  "http.proactiveAuth=basic",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=30",
];

/** Start git with an argument list, a bare environment and the credential in a pipe. */
export function startGit({ folder, args, environment, signal, credential }: GitCall): RunningGit {
  const child = spawn("git", ["--git-dir=.", ...configArgs(credential), ...args], {
    cwd: folder,
    env: gitEnvironment(environment, credential !== undefined),
    stdio: credential === undefined ? ["pipe", "pipe", "pipe"] : ["pipe", "pipe", "pipe", "pipe"],
    // A group of its own, so that a kill reaches git's helpers too.
    detached: true,
  });
  yieldCpu(child.pid);
  if (credential !== undefined) handOver(credential, child.stdio[3]);
  return { stdin: child.stdin, stdout: child.stdout, ...watch(child, signal) };
}

/** Run git to its end with its output in memory; for outputs of a few lines. */
export async function runGit(call: GitCall): Promise<GitEnd & { readonly stdout: string }> {
  const git = startGit(call);
  git.stdin.end();
  const [chunks, end] = await Promise.all([git.stdout.toArray(), git.ended]);
  call.signal.throwIfAborted();
  return { ...end, stdout: Buffer.concat(chunks).toString() };
}

function configArgs(credential: Credential | undefined): readonly string[] {
  const username = credential === undefined ? [] : [`credential.username=${credential.username}`];
  return [...CONFIG, ...username].flatMap((setting) => ["-c", setting]);
}

function gitEnvironment(environment: Env, hasCredential: boolean): Record<string, string> {
  const passed = Object.entries(environment).filter(
    (entry): entry is [string, string] => PASSED_ON.test(entry[0]) && entry[1] !== undefined,
  );
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    ...Object.fromEntries(passed),
    ...(hasCredential ? { GIT_ASKPASS: ASKPASS } : {}),
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_NO_LAZY_FETCH: "1",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "http:https",
    GIT_DEFAULT_HASH: "sha1",
    GIT_DEFAULT_REF_FORMAT: "files",
    // No single allocation may be larger: a small pack can claim objects of any size.
    GIT_ALLOC_LIMIT: "512m",
  };
}

function handOver({ password }: Credential, pipe: unknown): void {
  const stream = pipe as Writable;
  // A public repository never asks, and then nobody reads.
  stream.on("error", () => {});
  stream.end(`${password}\n`);
}

function watch(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  signal: AbortSignal,
): { readonly ended: Promise<GitEnd>; kill(): void } {
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-STDERR_LIMIT);
  });
  // A git that ended early closes its input; its exit code tells more than EPIPE.
  child.stdin.on("error", () => {});
  const kill = () => killGroup(child.pid);
  if (signal.aborted) kill();
  signal.addEventListener("abort", kill, { once: true });

  const ended = new Promise<GitEnd>((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new Error("git cannot be started; is it installed?", { cause })),
    );
    child.once("close", (code) => resolve({ code, stderr }));
  }).finally(() => signal.removeEventListener("abort", kill));
  // Who gives up on the output may never look at the end.
  ended.catch(() => {});
  return { ended, kill };
}

/** Ask the group to stop, which lets git remove its temporary files, then insist. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalGroup(pid, "SIGTERM");
  setTimeout(() => signalGroup(pid, "SIGKILL"), KILL_AFTER_MS).unref();
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    // The group has ended meanwhile.
    if (errorCode(error) !== "ESRCH") throw error;
  }
}
