import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { connectAdmin } from "../cli/admin-client.ts";

const project = join(import.meta.dirname, "..");
/** A build with the moments that the commands do not show. */
const BUILD = z.object({
  id: z.string(),
  ownerId: z.string(),
  repositoryId: z.string(),
  sha: z.string(),
  state: z.string(),
  reason: z.string(),
  acceptedAt: z.number(),
  startedAt: z.number().optional(),
  endedAt: z.number().optional(),
});
const EVENT = z.looseObject({
  at: z.number(),
  type: z.string(),
  step: z.string().optional(),
  name: z.string().optional(),
});

export type Build = z.infer<typeof BUILD>;
export type Event = z.infer<typeof EVENT>;

export type Platform = {
  /** `http://127.0.0.1:<port>/` */
  readonly url: string;
  readonly dataFolder: string;
  readonly pid: number;
  /** From the start of the command to its `ready` line, in milliseconds. */
  readonly startMs: number;
  /** URL to push to, with a token in it. */
  pushUrl(owner: string, repository: string): Promise<string>;
  /** Newest first. `limit` is at most 1000. */
  builds(limit: number): Promise<readonly Build[]>;
  events(buildId: string): Promise<readonly Event[]>;
  /** SIGTERM; how long the end took, in milliseconds. */
  stop(): Promise<number>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
};

export type PlatformOptions = {
  /** Default: the launcher, as people start it. */
  readonly command?: readonly [string, ...string[]];
  readonly dataFolder?: string;
  readonly engine?: "process" | "docker";
  readonly env?: Readonly<Record<string, string>>;
};

/** Start `up` on a free port and wait for its `ready` line. */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const dataFolder = options.dataFolder ?? (await makeDataFolder());
  const [file, ...args] = options.command ?? [join(project, "ofc")];
  const started = performance.now();
  const { engine = "process" } = options;
  const up = ["up", "--port", "0", "--engine", engine, "--data", dataFolder];
  const child = spawn(file, [...args, ...up], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let tail = "";
  child.stderr.on("data", (chunk: Buffer) => {
    tail = (tail + chunk).slice(-4_000);
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("ready ")) resolve(`${line.slice("ready ".length)}/`);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`up ended with ${code}:\n${tail}`)));
  });
  const startMs = performance.now() - started;
  const admin = await connectAdmin(dataFolder);

  return {
    url,
    dataFolder,
    pid: admin.running.pid,
    startMs,
    async pushUrl(owner, repository) {
      const TOKEN = z.object({ owner: z.string(), token: z.string() });
      const { token } = await admin.post("/tokens", { owner }, TOKEN);
      const target = new URL(`git/${owner}/${repository}.git`, url);
      return Object.assign(target, { username: owner, password: token }).href;
    },
    builds: (limit) => admin.get(`/builds?limit=${limit}`, z.array(BUILD)),
    events: (buildId) => admin.get(`/builds/${buildId}/events`, z.array(EVENT)),
    async stop() {
      const asked = performance.now();
      await end("SIGTERM");
      return performance.now() - asked;
    },
    kill: () => end("SIGKILL"),
  };

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }
}

export function makeDataFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "ofc-bench-"));
}
