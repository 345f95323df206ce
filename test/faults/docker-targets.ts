import { setTimeout as sleep } from "node:timers/promises";
import { withDeadline } from "#sdk/with-deadline.ts";
import { type FunctionContainer, listContainers } from "../helpers/docker-platform.ts";
import type { TestDocker } from "../helpers/start-docker.ts";
import { readLedger } from "./observe.ts";
import type { Random } from "./random.ts";
import type { Stage } from "./stage.ts";

/** Longest time for which dockerd stays away, in milliseconds. */
const AWAY_LIMIT_MS = 1_500;
/** A build comes into the wanted state within this time, in milliseconds. */
const BUILD_LIMIT_MS = 15_000;
/** Between the state and the kill at most, in milliseconds. */
const WITHIN_MS = 600;
const STATES = ["building", "deploying"] as const;
type BuildState = (typeof STATES)[number];

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

/** The state in which dockerd was killed less often. */
export function chooseState(kills: ReadonlyMap<string, number>): BuildState {
  const [first, second] = STATES;
  const countOf = (state: BuildState) => kills.get(`dockerd, ${state}`) ?? 0;
  return countOf(second) < countOf(first) ? second : first;
}

/**
 * Push, and `kill -9` dockerd while a build is in the wanted state, and start it again after a while: what it
 * ran ends with its return. False when no build came into the state.
 */
export async function killDockerdWithin(
  { victim, trees, dataFolder }: Stage,
  docker: TestDocker,
  options: { readonly random: Random; readonly wanted: BuildState; readonly over: AbortSignal },
): Promise<boolean> {
  const { random, wanted, over } = options;
  const pushing = random.pick(trees).push("good");
  const limit = withDeadline(BUILD_LIMIT_MS, over);
  let met = false;
  while (!limit.aborted && !victim.isGone() && !met) {
    met = readLedger(dataFolder).builds.some(({ state }) => state === wanted);
    if (!met) await sleep(10);
  }
  // Builds and starts take their time; not always their first moment.
  await sleep(random.below(WITHIN_MS));
  if (met) {
    await docker.kill();
    await sleep(random.below(AWAY_LIMIT_MS));
    await docker.start();
  }
  await pushing;
  return met;
}

function isRunning({ state }: FunctionContainer): boolean {
  return state === "running";
}
