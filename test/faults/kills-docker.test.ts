import test from "ava";
import { hasProgram } from "../helpers/has-program.ts";
import { dockerMissing } from "../helpers/start-docker.ts";
import { runDriver } from "./driver.ts";

/** A short form, since images take their time; `node test/faults/run.ts --engine docker` is for more. */
const KILLS = Number(process.env.FAULT_KILLS_DOCKER ?? "30");
const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 1_000_000);

const missing =
  dockerMissing ?? (hasProgram("redis-server") ? undefined : "redis-server is not on the PATH");

if (missing !== undefined) test.skip(`kills on Docker are not tested: ${missing}`, () => {});
else
  test(`after ${KILLS} kills on Docker every accepted commit ended truly, the newest serves, and Docker holds nothing else`, async (t) => {
    t.timeout(30 * 60_000);
    t.log(`seed ${SEED}; FAULT_SEED=${SEED} repeats its choices`);

    const report = await runDriver({
      kills: KILLS,
      seed: SEED,
      engine: "docker",
      queue: "redis",
      say: (text) => t.log(text),
    });

    const { seconds, spent, kills, breaches, leftovers, folder } = report;
    t.log(`${seconds} s: ${JSON.stringify(spent)}, kills ${JSON.stringify(kills)}`);
    t.deepEqual(breaches, [], folder);
    t.deepEqual(leftovers, [], folder);
  });
