import { setTimeout as sleep } from "node:timers/promises";
import { type FunctionContainer, listContainers } from "../helpers/docker-platform.ts";
import type { TestDocker } from "../helpers/start-docker.ts";
import { readLedger } from "./observe.ts";
import type { Random } from "./random.ts";
import type { Stage } from "./stage.ts";

/** Longest time for which dockerd stays away, in milliseconds. */
const AWAY_LIMIT_MS = 1_500;
/** A build comes into the wanted state within this time, in milliseconds. */
const BUILD_LIMIT_MS = 15_000;
const STATES = ["building", "deploying"] as const;

/** SIGKILL for a function's first process, past dockerd; false when none runs. */
export async function killContainer(
  docker: TestDocker,
  dataFolder: string,
  random: Random,
): Promise<boolean> {
  try {
    const running = (await listContainers(docker, dataFolder)).filter(isRunning);
    if (running.length === 0) return false;
    const { State } = await docker.api.getContainer(random.pick(running).id).inspect();
    return State.Pid > 0 && process.kill(State.Pid, "SIGKILL");
  } catch {
    // It ended by itself, or dockerd is away.
    return false;
  }
}

/** `kill -9` dockerd and start it again after a while; what it ran ends with its return. */
export async function killDockerd(docker: TestDocker, random: Random): Promise<void> {
  await docker.kill();
  await sleep(random.below(AWAY_LIMIT_MS));
  await docker.start();
}

/** Push, and kill dockerd while a build is in one of the states; what it was, or `undefined` when none came. */
export async function killDockerdWithin(
  stage: Stage,
  docker: TestDocker,
  random: Random,
  over: AbortSignal,
): Promise<string | undefined> {
  const wanted = random.pick(STATES);
  const pushing = random.pick(stage.trees).push("good");
  const limit = AbortSignal.any([over, AbortSignal.timeout(BUILD_LIMIT_MS)]);
  let met = false;
  while (!limit.aborted && !stage.victim.isGone() && !met) {
    met = readLedger(stage.dataFolder).builds.some(({ state }) => state === wanted);
    if (!met) await sleep(10);
  }
  if (met) await killDockerd(docker, random);
  await pushing;
  return met ? `dockerd, ${wanted}` : undefined;
}

export function isRunning({ state }: FunctionContainer): boolean {
  return state === "running";
}
