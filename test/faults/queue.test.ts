import { rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Redis } from "ioredis";
import { hasProgram } from "../helpers/has-program.ts";
import { setUp } from "./set-up.ts";

const testOnRedis = hasProgram("redis-server") ? test.serial : test.serial.skip;

test.serial(
  "a queue whose folder was removed while the platform was down loses no push",
  async (t) => {
    const { stage, forge, github, judge } = await setUp(t);
    const victim = await stage.live({ OFC_FAULT: "storePlan:before" });
    await victim.ready;
    const pushing = [forge.push("good"), github.push("good")];
    await victim.gone;
    await rm(join(stage.dataFolder, "queue"), { recursive: true });

    await stage.live();
    await Promise.all(pushing);

    t.deepEqual(await judge(), []);
  },
);

testOnRedis(
  "a queue that is emptied by hand under way is filled again (needs redis-server)",
  async (t) => {
    const { stage, forge, github, judge } = await setUp(t);
    const redis = new Redis({ path: join(stage.dataFolder, "run/redis.sock") });
    t.teardown(() => redis.disconnect());

    for (let round = 0; round < 3; round += 1) {
      const pushing = [forge.push("good"), github.push("good")];
      for (let times = 0; times < 20; times += 1) await redis.flushall();
      await Promise.all(pushing);
    }

    t.deepEqual(await judge(), []);
  },
);
