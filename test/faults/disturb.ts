import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { withDeadline } from "#sdk/with-deadline.ts";
import { connectAdmin } from "../../cli/admin-client.ts";
import { chooseState, killContainer, killDockerdWithin } from "./docker-targets.ts";
import { readAnswer, readLedger } from "./observe.ts";
import { type Kind, kindOf } from "./processes.ts";
import type { Random } from "./random.ts";
import type { Stage } from "./stage.ts";
import type { WorkTree } from "./work-tree.ts";

/** Every repository gets up to `most` commits, a later one while the earlier one is being built. */
export async function pushAll(
  stage: Stage,
  random: Random,
  most: number,
  over: AbortSignal,
): Promise<void> {
  if (!(await stage.victim.ready)) return;
  await Promise.all(stage.trees.map((tree) => pushTo(tree, random, most, over)));
}

/** Push, and do what makes the ledger pass the write. */
export async function provoke(
  stage: Stage,
  random: Random,
  write: string,
  over: AbortSignal,
): Promise<void> {
  if (!(await stage.victim.ready)) return;
  const tree = random.pick(stage.trees.filter(({ scm }) => scm === "forge"));
  const special = SPECIAL[write];
  await Promise.all([tree.push("good"), special?.(stage, tree, over)]);
}

/** A build that is there to be cancelled comes within this time, in milliseconds. */
const CANCEL_LIMIT_MS = 30_000;

/** Longest time in which versions are made to crash, and one of them, in milliseconds: each restart takes its own. */
const CRASH_LIMIT_MS = 120_000;
const CRASH_ROUND_MS = 20_000;

type Provoking = (stage: Stage, tree: WorkTree, over: AbortSignal) => Promise<unknown>;

const pushAside: Provoking = (_stage, tree) => tree.pushAside();

/** Writes that pushes to the build branch alone do not make. */
const SPECIAL: Readonly<Record<string, Provoking>> = {
  recordDelivery: pushAside,
  recordRepository: pushAside,
  wantStatus: pushAside,
  acceptManually: (stage, { owner, name }) =>
    ask(stage, "/redeploy", { target: `${owner}/${name.split("/")[1]}` }),
  removeFunction: (stage, tree) =>
    ask(stage, "/remove", { target: Object.keys(tree.pushes[0]?.answers ?? {})[0] }),
  cancelBuild,
  async declareRollback(stage, tree, over) {
    const name = crashingOf(tree);
    const limit = withDeadline(CRASH_LIMIT_MS, over);
    while (!limit.aborted && !stage.victim.isGone()) {
      // So that there is something to go back from; a push that meets another one may be refused.
      await tree.pushChange(name);
      await ask(stage, "/rollback", { name });
      await sleep(100);
    }
  },
  recordSwitchBack: crashAgainAndAgain,
  markUnsent: refuseStatuses,
};

/** The function of a work tree that ends when it is asked to. */
function crashingOf({ pushes: [first] }: WorkTree): string {
  return Object.keys(first?.answers ?? {}).find((name) => name.endsWith("two")) ?? "";
}

/**
 * Crash the newest version from the moment in which it is published, as often as the engine bears; then
 * another, since a push that meets another one may be refused, and a slow restart may be borne.
 */
async function crashAgainAndAgain(stage: Stage, tree: WorkTree, over: AbortSignal): Promise<void> {
  const service = crashingOf(tree);
  const limit = withDeadline(CRASH_LIMIT_MS, over);
  while (!limit.aborted && !stage.victim.isGone()) {
    const pushing = tree.pushChange(service);
    const round = withDeadline(CRASH_ROUND_MS, limit);
    while (!round.aborted && !stage.victim.isGone()) {
      const text = await readAnswer(stage.url, service).catch(() => "");
      if (text !== "" && text === tree.pushes.at(-1)?.answers[service])
        await readAnswer(stage.url, `${service}/crash`).catch(() => "");
      await sleep(10);
    }
    await pushing;
  }
}

/** One that is deploying already is not cancelled; then the next, which is pushed if it has to be. */
async function cancelBuild(stage: Stage, tree: WorkTree, over: AbortSignal): Promise<void> {
  const limit = withDeadline(CANCEL_LIMIT_MS, over);
  const listBuilds = () => readLedger(stage.dataFolder).builds;
  const countCancelled = () => listBuilds().filter(({ state }) => state === "cancelled").length;
  const before = countCancelled();
  let pushing: Promise<unknown> | undefined;
  while (!limit.aborted && !stage.victim.isGone() && countCancelled() === before) {
    const open = listBuilds().find(({ state }) => CANCELLABLE.includes(state));
    if (open !== undefined) await ask(stage, `/builds/${open.id}/cancel`, {});
    pushing ??= tree.push("good").finally(() => {
      pushing = undefined;
    });
    await sleep(5);
  }
  await pushing;
}

const CANCELLABLE: readonly string[] = ["accepted", "planned", "building", "built"];

/** Longest time that GitHub refuses what commits are to show, in milliseconds. */
const REFUSAL_LIMIT_MS = 30_000;

/** Until it has been noticed: on a busy machine that takes a while. */
async function refuseStatuses(stage: Stage, _tree: WorkTree, over: AbortSignal): Promise<void> {
  const { github, trees } = stage;
  github.fault = { status: 502 };
  await trees.find(({ scm }) => scm === "github")?.push("good");
  await sleep(REFUSAL_LIMIT_MS, undefined, { signal: over }).catch(() => {});
  github.fault = undefined;
}

/** The platform may die while it is asked, or refuse: both are its right. */
async function ask(stage: Stage, path: string, body: unknown): Promise<void> {
  try {
    const admin = await connectAdmin(stage.dataFolder);
    await admin.post(path, body, z.unknown());
  } catch {
    // What counts is what it does afterwards.
  }
}

async function pushTo(
  tree: WorkTree,
  random: Random,
  most: number,
  over: AbortSignal,
): Promise<void> {
  const running: Promise<unknown>[] = [];
  for (let left = random.below(most + 1); left > 0 && !over.aborted; left -= 1) {
    const pushing = tree.push(random.pick(["good", "good", "good", "good", "unhealthy", "broken"]));
    running.push(pushing);
    await (random.oneIn(2) ? pushing : sleep(random.below(600)));
  }
  if (random.oneIn(8) && !over.aborted) running.push(tree.pushAside());
  await Promise.all(running);
}

/** Longest time between two kills below a platform, in milliseconds; what was killed has to come back. */
const KILL_PAUSE_MS = 500;

/** Longest wait for a process that is to be killed, in milliseconds. */
const NEXT_LIMIT_MS = 5_000;

/**
 * Push what needs an installer, and kill that: while all else is killed it hardly ever comes to one. On
 * Docker it is dockerd that is killed, and with it whatever builds or starts.
 */
export async function killBuilding(
  stage: Stage,
  random: Random,
  over: AbortSignal,
  kills: ReadonlyMap<string, number>,
  killed: (kind: string) => void,
): Promise<void> {
  const { victim, trees, docker } = stage;
  if (docker !== undefined) {
    const wanted = chooseState(kills);
    if (await killDockerdWithin(stage, docker, { random, wanted, over }))
      killed(`dockerd, ${wanted}`);
    return;
  }
  const pushing = trees.find(({ hasPackage }) => hasPackage)?.push("good");
  const limit = withDeadline(NEXT_LIMIT_MS, over);
  while (!limit.aborted && !victim.isGone()) {
    const found = victim.children().find((child) => kindOf(child) === "installer");
    if (found !== undefined && endProcess(found.pid)) {
      killed("installer");
      break;
    }
    await sleep(10);
  }
  await pushing;
}

/** A version that dies three times in a row right after it was published gives way to the previous one; dockerd takes all with it. */
const MOST_FUNCTIONS = { process: 2, docker: 1 };

/** Kill gateway, queue server, git, installers and functions: of what is there the kind with the fewest kills. */
export async function killBelow(
  stage: Stage,
  random: Random,
  over: AbortSignal,
  kills: ReadonlyMap<string, number>,
  killed: (kind: Kind) => void,
): Promise<void> {
  const { victim } = stage;
  let functions = 0;
  await victim.ready;
  while (!over.aborted && !victim.isGone()) {
    await sleep(random.below(KILL_PAUSE_MS));
    const targets = listTargets(stage, random);
    if (functions === MOST_FUNCTIONS[stage.engine]) targets.delete("function");
    const [rarest] = [...targets.keys()].toSorted(
      (a, b) => (kills.get(a) ?? 0) - (kills.get(b) ?? 0),
    );
    if (rarest === undefined || !(await targets.get(rarest)?.())) continue;
    killed(rarest);
    if (rarest === "function") functions += 1;
  }
}

/** For each kind of process that is there, what kills one of them and says whether it did. */
function listTargets(stage: Stage, random: Random): Map<Kind, () => boolean | Promise<boolean>> {
  const { victim, docker, dataFolder } = stage;
  const byKind = Map.groupBy(victim.children(), kindOf);
  const targets = new Map<Kind, () => boolean | Promise<boolean>>(
    [...byKind].map(([kind, children]) => [kind, () => endProcess(random.pick(children).pid)]),
  );
  // Functions on Docker do not run below the platform.
  if (docker !== undefined)
    targets.set("function", () => killContainer(docker, dataFolder, random));
  return targets;
}

function endProcess(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
    return false;
  }
}
