import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { comeToRest, observe } from "./come-to-rest.ts";
import { findBreaches } from "./model.ts";
import { createRandom } from "./random.ts";
import { setStage } from "./stage.ts";

/** A platform that dies at the same write of the same build until the build has no attempt left. */
async function setUp(t: ExecutionContext) {
  const stage = await setStage(createRandom(1));
  t.teardown(() => stage.close({ keep: false }));
  await (await stage.live()).ready;
  await stage.plant([{ scm: "forge", owner: "alice", repository: "shop" }]);
  const [tree] = stage.trees;
  if (tree === undefined) throw new Error("There is no work tree.");
  await tree.push("good");

  return {
    stage,
    tree,
    async dieUntilGivenUp(point: string) {
      let pushing: Promise<unknown> = Promise.resolve();
      for (let life = 1; life <= 5; life += 1) {
        const victim = await stage.live({ OFC_FAULT: point });
        if (life === 1) {
          await victim.ready;
          pushing = tree.push("good");
        }
        await Promise.race([victim.gone, sleep(60_000)]);
        t.true(victim.isGone(), `life ${life} did not reach ${point}`);
      }
      await pushing;
      await stage.live();
    },
  };
}

for (const { point, end } of [
  { point: "storePlan:before", end: /^failed: gave up reading stack\.yml: 5 attempts/ },
  {
    point: "recordArtifact:before",
    end: /^failed: gave up building shop-one, shop-two: 5 attempts/,
  },
  { point: "markRelease:before", end: /^live: $/ },
  { point: "endBuild:before", end: /^live: $/ },
]) {
  test.serial(
    `a build whose platform dies five times at ${point} says what is true in the end`,
    async (t) => {
      t.timeout(10 * 60_000);
      const { stage, dieUntilGivenUp } = await setUp(t);

      await dieUntilGivenUp(point);
      await sleep(3_000);
      await comeToRest({ ...stage, trees: [] });

      const seen = await observe(stage, new Map());
      const last = seen.builds.toSorted((a, b) => a.generation - b.generation).at(-1);
      t.regex(`${last?.state}: ${last?.reason}`, end);
      const pushes = stage.trees.flatMap(({ pushes }) => pushes.slice(0, 1));
      t.deepEqual(findBreaches(pushes, seen), []);
    },
  );
}
