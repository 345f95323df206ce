import type { ExecutionContext } from "ava";
import { comeToRest, observe } from "./come-to-rest.ts";
import type { Network } from "./github.ts";
import { findBreaches } from "./model.ts";
import { createRandom } from "./random.ts";
import { type Stage, setStage } from "./stage.ts";
import type { WorkTree } from "./work-tree.ts";

export type Scene = {
  readonly stage: Stage;
  /** Pushed to the forge, and to GitHub; each has a first commit live. */
  readonly forge: WorkTree;
  readonly github: WorkTree;
  /** What GitHub's webhooks go through; may be changed at any time. */
  readonly network: Record<keyof Network, number>;
  /** Wait until all is done, and compare it with the model. */
  judge(): Promise<string[]>;
};

/** A platform with one repository on the forge and one on GitHub. */
export async function setUp(
  t: ExecutionContext,
  settings: Readonly<Record<string, string>> = {},
  { hasPackage = false } = {},
): Promise<Scene> {
  t.timeout(180_000);
  const network = { lost: 0, doubled: 0, late: 0 };
  const stage = await setStage(createRandom(1), network, settings);
  t.teardown(() => stage.close({ keep: !t.passed }));
  const victim = await stage.live();
  if (!(await victim.ready)) throw new Error(victim.said());
  await stage.plant([
    { scm: "forge", owner: "alice", repository: "shop", hasPackage },
    { scm: "github", owner: "carol", repository: "site" },
  ]);
  const [forge, github] = stage.trees;
  if (forge === undefined || github === undefined) throw new Error("There are no work trees.");
  for (const tree of [forge, github]) await tree.push("good");
  await comeToRest(stage);

  return {
    stage,
    forge,
    github,
    network,
    async judge() {
      await comeToRest(stage);
      const pushes = stage.trees.flatMap((tree) => tree.pushes);
      return findBreaches(pushes, await observe(stage, new Map()));
    },
  };
}
