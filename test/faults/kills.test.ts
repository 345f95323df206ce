import test from "ava";
import { hasProgram } from "../helpers/has-program.ts";
import { testKills } from "./test-kills.ts";

/** So many reach every fault point; fewer are for a quick look, `node test/faults/run.ts` is for more. */
const KILLS = Number(process.env.FAULT_KILLS ?? "200");

test(`after ${KILLS} kills every accepted commit ended truly, the newest serves, and nothing is left over`, async (t) => {
  if (!hasProgram("redis-server")) {
    t.log("skipped: redis-server is not on the PATH");
    t.pass();
    return;
  }

  const { missed } = await testKills(t, "process", KILLS);

  if (KILLS >= 200) t.deepEqual(missed, []);
});
