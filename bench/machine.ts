import { execFile } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const project = join(import.meta.dirname, "..");

/** What a figure depends on. */
export type Machine = {
  readonly cores: number;
  readonly model: string;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  readonly git: string;
  /** Absent when there is none on the PATH. */
  readonly redis?: string;
  /** Of this project; `+` when files differ from it. */
  readonly commit: string;
  /** `2026-01-31`. */
  readonly date: string;
  /** Of the last minute, before anything was measured: what else the machine was doing. */
  readonly load: number;
};

export async function describeMachine(): Promise<Machine> {
  const redis = await versionOf("redis-server", /v=([\d.]+)/);
  return {
    cores: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? "unknown",
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.versions.node,
    git: (await versionOf("git", /version ([\d.]+)/)) ?? "unknown",
    ...(redis === undefined ? {} : { redis }),
    commit: await describeCommit(),
    date: new Date().toISOString().slice(0, 10),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

/** `undefined` when the program is not there. */
async function versionOf(program: string, pattern: RegExp): Promise<string | undefined> {
  const stdout = await run(program, ["--version"]).then(
    (said) => said.stdout,
    () => "",
  );
  return pattern.exec(stdout)?.[1];
}

async function describeCommit(): Promise<string> {
  const git = async (...args: string[]) => (await run("git", args, { cwd: project })).stdout.trim();
  try {
    const changed = await git("status", "--porcelain", "--untracked-files=no");
    return `${await git("rev-parse", "--short", "HEAD")}${changed === "" ? "" : "+"}`;
  } catch {
    // A release that was unpacked rather than cloned.
    return "unknown";
  }
}
