import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import test from "ava";
import { until } from "../test/helpers/until.ts";
import { onceIdle } from "./once-idle.ts";

test.serial(
  "what waits for a quiet moment is not done while there is work, and once after",
  async (t) => {
    let done = 0;
    const callOff = onceIdle(40, () => done++);
    t.teardown(callOff);

    const end = performance.now() + 250;
    while (performance.now() < end) await turn();
    t.is(done, 0);

    await until(() => done > 0);
    await sleep(120);
    t.is(done, 1);
  },
);

test.serial("what is called off is not done", async (t) => {
  let done = 0;
  onceIdle(20, () => done++)();

  await sleep(80);

  t.is(done, 0);
});
