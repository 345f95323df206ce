import test from "ava";
import { hasProgram } from "../helpers/has-program.ts";
import { runDriver } from "./driver.ts";

/** So many reach every fault point; fewer are for a quick look, `node test/faults/run.ts` is for more. */
const KILLS = Number(process.env.FAULT_KILLS ?? "200");
const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);

test(`after ${KILLS} kills every accepted commit ended truly, the newest serves, and nothing is left over`, async (t) => {
  if (!hasProgram("redis-server")) {
    t.log("skipped: redis-server is not on the PATH");
    t.pass();
    return;
  }
  t.timeout(30 * 60_000);
  t.log(`seed ${SEED}; FAULT_SEED=${SEED} repeats its choices`);

  const report = await runDriver({
    kills: KILLS,
    seed: SEED,
    engine: "process",
    queue: "redis",
    say: (text) => t.log(text),
  });

  t.log(
    `${report.seconds} s: ${JSON.stringify(report.spent)}, kills ${JSON.stringify(report.kills)}`,
  );
  t.deepEqual(report.breaches, [], report.folder);
  t.deepEqual(report.leftovers, [], report.folder);
  if (KILLS >= 200) t.deepEqual(report.missed, []);
});
