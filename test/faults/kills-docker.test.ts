import test from "ava";
import { hasProgram } from "../helpers/has-program.ts";
import { dockerMissing } from "../helpers/start-docker.ts";
import { testKills } from "./test-kills.ts";

/** A short form, since images take their time; `node test/faults/run.ts --engine docker` is for more. */
const KILLS = Number(process.env.FAULT_KILLS_DOCKER ?? "30");

const missing =
  dockerMissing ?? (hasProgram("redis-server") ? undefined : "redis-server is not on the PATH");

if (missing !== undefined) test.skip(`kills on Docker are not tested: ${missing}`, () => {});
else
  test(`after ${KILLS} kills on Docker every accepted commit ended truly, the newest serves, and Docker holds nothing else`, async (t) => {
    await testKills(t, "docker", KILLS);
  });
