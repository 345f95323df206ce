import { type ChildProcessByStdio, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Env } from "#sdk/env.ts";

export type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** How a program ended, in the words of Go: `exit status 1`, `signal: killed`; `undefined` is success. */
export type Failure = string | undefined;

export type Children = {
  /** Start a program in a process group of its own. */
  start(command: readonly string[], env: Env): Child;
  /** Kill a program and everything it started. */
  kill(child: Child): void;
  killAll(): void;
};

/** Every child dies with this process: the kernel sees to it where setpriv exists, `kill -9` included. */
export function createChildren(env: Env): Children {
  const alive = new Set<Child>();
  const wrapper = hasSetpriv(env) ? ["setpriv", "--pdeathsig", "KILL", "--"] : [];

  return {
    start(command, childEnv) {
      const [file = "", ...args] = [...wrapper, ...command];
      const child = spawn(file, args, {
        env: childEnv,
        stdio: ["pipe", "pipe", "pipe"],
        detached: true,
      });
      alive.add(child);
      child.once("close", () => alive.delete(child));
      // A program need not read what it is sent.
      child.stdin.on("error", () => {});
      return child;
    },
    kill,
    killAll() {
      for (const child of alive) kill(child);
    },
  };

  function kill(child: Child): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }
}

/** Resolves once the program and all holders of its output are gone. Rejects when it cannot start. */
export function waitForEnd(child: Child, children: Children): Promise<Failure> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // What it started in the background may hold its output open.
    child.once("exit", () => children.kill(child));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(code === null ? formatSignal(signal) : `exit status ${code}`);
    });
  });
}

function formatSignal(signal: NodeJS.Signals | null): string {
  const words: Partial<Record<NodeJS.Signals, string>> = {
    SIGKILL: "killed",
    SIGTERM: "terminated",
    SIGINT: "interrupt",
    SIGSEGV: "segmentation fault",
    SIGABRT: "aborted",
  };
  return `signal: ${(signal && words[signal]) ?? signal?.slice(3).toLowerCase() ?? "unknown"}`;
}

function hasSetpriv(env: Env): boolean {
  return (env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, "setpriv"), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
