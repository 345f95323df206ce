import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { DockerApi } from "./connect-docker.ts";
import { dockerStatus } from "./connect-docker.ts";

/** How a container ended. */
export type ContainerExit = {
  /** Absent when somebody removed it. */
  readonly code?: number;
  readonly outOfMemory: boolean;
  /** Dockerd went away meanwhile, which ends containers unless it keeps them (`live-restore`). */
  readonly withDockerd: boolean;
};

/** One container that runs, or has run; dockerd may be away meanwhile. */
export type Container = {
  readonly id: string;
  /** Resolves once it does not run; never after `closed`. */
  readonly ended: Promise<ContainerExit>;
  /** Until it is done or the container is gone. */
  signal(name: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** Stop all its processes where they are. */
  pause(): Promise<void>;
  /** Let them go on. */
  unpause(): Promise<void>;
  /** With its scratch files; until it is done. */
  remove(): Promise<void>;
};

/** Between two tries to reach a dockerd that is away. */
const RETRY_MS = 200;

/** `closed` ends every wait: the platform lets go of its containers. */
export function watchContainer(docker: DockerApi, id: string, closed: AbortSignal): Container {
  const container = docker.calls.getContainer(id);
  const ended = awaitExit(docker, id, closed);

  return {
    id,
    ended,
    // Docker lets a paused one go on when it gets either.
    signal: (signal) => insist(() => container.kill({ signal }), [404, 409], closed),
    pause: async () => void (await container.pause()),
    async unpause() {
      try {
        await container.unpause();
      } catch (error) {
        if ((await container.inspect()).State.Paused) throw error;
      }
    },
    remove: () => removeContainer(docker, id, closed),
  };
}

/** By id or name; waits for a dockerd that is away until `stop`. */
export function removeContainer(
  { calls }: DockerApi,
  name: string,
  stop: AbortSignal,
): Promise<void> {
  return insist(() => calls.getContainer(name).remove({ force: true, v: true }), [404], stop);
}

async function awaitExit(
  docker: DockerApi,
  id: string,
  closed: AbortSignal,
): Promise<ContainerExit> {
  let withDockerd = false;
  while (!closed.aborted) {
    try {
      await awaitStop(docker, id, closed);
      const { State } = await docker.calls.getContainer(id).inspect();
      const { Running, ExitCode: code, OOMKilled: outOfMemory } = State;
      if (!Running) return { code, outOfMemory, withDockerd };
      // It outlived dockerd: what ends it later is something else.
      withDockerd = false;
    } catch (error) {
      if (dockerStatus(error) === 404) return { outOfMemory: false, withDockerd };
      withDockerd = true;
    }
    await pause(closed);
  }
  return new Promise(() => {});
}

/**
 * Resolves when dockerd says that a container does not run, or that there is none. Not by `dockerode`, which
 * waits for ever when dockerd is killed meanwhile: the answer's head is there long before its end.
 */
export function awaitStop(
  { socketPath }: Pick<DockerApi, "socketPath">,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/containers/${id}/wait`;
    const options = { socketPath, method: "POST", path, agent: false };
    const asked = request(signal === undefined ? options : { ...options, signal });
    asked.on("error", reject);
    asked.on("response", (answer) => {
      answer.on("error", reject);
      answer.on("end", () => resolve());
      answer.resume();
    });
    asked.end();
  });
}

/** Call dockerd until it has done it, or answers that there is nothing to do. */
async function insist(
  call: () => Promise<unknown>,
  nothingToDo: readonly number[],
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      await call();
      return;
    } catch (error) {
      const status = dockerStatus(error);
      if (status !== undefined && nothingToDo.includes(status)) return;
    }
    await pause(stop);
  }
}

async function pause(stop: AbortSignal): Promise<void> {
  await sleep(RETRY_MS, undefined, { signal: stop }).catch(() => {});
}

/** Ended or removed from outside; its own memory limit is its own fault. */
export function isKill({ code, outOfMemory, withDockerd }: ContainerExit): boolean {
  return withDockerd || code === undefined || (code === 137 && !outOfMemory);
}

/** `exited with code 1`, `was killed by SIGKILL`, `ran out of its memory (134217728 bytes)`. */
export function formatExit(
  { code, outOfMemory, withDockerd }: ContainerExit,
  memoryBytes: number,
): string {
  if (withDockerd) return "ended with dockerd";
  if (code === undefined) return "was removed from Docker by somebody else";
  if (outOfMemory) return `ran out of its memory (${memoryBytes} bytes)`;
  if (code === 137) return "was killed by SIGKILL (code 137)";
  return `exited with code ${code}`;
}
