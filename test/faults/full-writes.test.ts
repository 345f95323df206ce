import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { until } from "../helpers/until.ts";
import { provoke } from "./disturb.ts";
import { WRITES } from "./fault-points.ts";
import { findLeftovers } from "./leftovers.ts";
import { readAnswer } from "./observe.ts";
import { createRandom } from "./random.ts";
import { type Scene, setUp } from "./set-up.ts";

/** Commits that fail, one after the other, of each write. */
const TIMES = 2;
/** Short, so that leases are renewed within a build and what a commit shows is told again soon. */
const SETTINGS = { build_lease: "300ms", catch_up_interval: "2s" };

/** Mostly waiting for what is tried again, so two platforms share the writes. */
for (const [turn, words] of ["odd", "even"].entries())
  test(`each ${words} write of the ledger finds the disk full ${TIMES} times: what was promised is kept, pushers are told the truth`, async (t) => {
    const scene = await setUp(t, SETTINGS);
    const { stage, forge } = scene;
    t.timeout(15 * 60_000);
    const wrong: Record<string, readonly string[]> = {};

    for (const write of WRITES.filter((_, index) => index % 2 === turn)) {
      const before = await readAnswer(stage.url, "alice-shop-one");
      const pushed = forge.pushes.length;
      const served = await liveWithout(t, scene, write);
      const news = forge.pushes.slice(pushed).map(({ answers }) => answers["alice-shop-one"]);
      const expected = [before, ...news];
      const found = await scene.judge();
      if (!expected.includes(served)) found.push(`alice-shop-one answered ${served}`);
      if (found.length > 0) wrong[write] = found;
    }
    stage.remember(stage.victim.children());
    const code = await stage.victim.kill("SIGTERM");
    const left = await findLeftovers(stage.dataFolder, stage.temporary, stage.everSeen.values());

    t.deepEqual(wrong, {});
    t.is(code, "0");
    t.deepEqual(left, []);
  });

/** A life in which one write has no room for a while. Answers what was served meanwhile. */
async function liveWithout(
  t: ExecutionContext,
  { stage, github }: Scene,
  write: string,
): Promise<string> {
  await stage.victim.kill("SIGTERM");
  const victim = await stage.live({ OFC_FAULT: `${write}:full:${TIMES}` });
  const over = new AbortController();
  const isHit = () => victim.said().includes('"event":"fault-injected"');
  const pushing = Promise.all([
    provoke(stage, createRandom(1), write, over.signal),
    victim.ready.then((ready) => (ready ? github.push("good") : undefined)),
  ]);
  await until(isHit, 300_000).catch(() => t.fail(`${write} was never reached`));
  over.abort();
  await Promise.race([pushing, victim.gone, sleep(60_000)]);

  if (victim.isGone()) {
    t.regex(victim.said(), /database or disk is full/);
    t.notRegex(victim.said(), /\n\s+at .*\.ts:/);
    await (await stage.live()).ready;
  }
  const served = await readAnswer(stage.url, "alice-shop-one");
  await pushing;
  return served;
}
