import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { connectAdmin } from "../../cli/admin-client.ts";
import { readLedger } from "./observe.ts";
import { type Kind, kindOf } from "./processes.ts";
import type { Random } from "./random.ts";
import type { Stage } from "./stage.ts";
import type { WorkTree } from "./work-tree.ts";

/** Every repository gets up to two commits, the later one while the earlier one is being built. */
export async function pushAll(stage: Stage, random: Random, over: AbortSignal): Promise<void> {
  if (!(await stage.victim.ready)) return;
  await Promise.all(stage.trees.map((tree) => pushTo(tree, random, over)));
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
  markUnsent: refuseStatuses,
};

async function cancelBuild(stage: Stage, _tree: WorkTree, over: AbortSignal): Promise<void> {
  while (!over.aborted && !stage.victim.isGone()) {
    const open = readLedger(stage.dataFolder).builds.find(({ state }) =>
      ["accepted", "planned", "building", "built"].includes(state),
    );
    if (open !== undefined) await ask(stage, `/builds/${open.id}/cancel`, {});
    await sleep(5);
  }
}

async function refuseStatuses({ github, trees }: Stage): Promise<void> {
  github.fault = { status: 502 };
  await trees.find(({ scm }) => scm === "github")?.push("good");
  await sleep(2_000);
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

async function pushTo(tree: WorkTree, random: Random, over: AbortSignal): Promise<void> {
  const running: Promise<unknown>[] = [];
  for (let left = random.below(3); left > 0 && !over.aborted; left -= 1) {
    const pushing = tree.push(random.pick(["good", "good", "good", "good", "unhealthy", "broken"]));
    running.push(pushing);
    await (random.oneIn(2) ? pushing : sleep(random.below(600)));
  }
  if (random.oneIn(8) && !over.aborted) running.push(tree.pushAside());
  await Promise.all(running);
}

const BELOW: readonly Kind[] = ["gateway", "queue", "git", "function"];
/** Longest wait for a process of the kind that is to be killed next; git's live for milliseconds. */
const KIND_LIMIT_MS = 1_000;

/** Kill gateway, queue server, git and functions, of each kind as often as there is one. */
export async function killBelow(
  stage: Stage,
  random: Random,
  over: AbortSignal,
  killed: (kind: Kind) => void,
): Promise<void> {
  const { victim } = stage;
  await victim.ready;
  while (!over.aborted && !victim.isGone()) {
    await sleep(random.below(200));
    const kind = random.pick(BELOW);
    const limit = performance.now() + KIND_LIMIT_MS;
    while (!over.aborted && !victim.isGone() && performance.now() < limit) {
      const children = victim.children().filter((child) => kindOf(child) === kind);
      if (children.length > 0 && endProcess(random.pick(children).pid)) {
        killed(kind);
        break;
      }
      await sleep(10);
    }
  }
}

function endProcess(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
    return false;
  }
}
