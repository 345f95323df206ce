import test from "ava";
import { findPort } from "../helpers/find-port.ts";
import { readAnswer } from "./observe.ts";
import { setUp } from "./set-up.ts";
import { startVictim } from "./victim.ts";

test("a second up on the same data is refused with a sentence, and the first goes on", async (t) => {
  const { stage, forge, judge } = await setUp(t);
  const options = { dataFolder: stage.dataFolder, env: {}, log: `${stage.folder}/second.log` };

  const seconds = [await findPort(), await findPort()].map((port) =>
    startVictim({ ...options, port }),
  );
  const pushing = forge.push("good");

  for (const second of seconds) {
    t.is(await second.gone, "1");
    t.regex(second.said(), /Another platform runs on .*; stop it first/);
  }
  await pushing;
  t.is(await readAnswer(stage.url, "alice-shop-one"), "forge:alice/shop#2");
  t.deepEqual(await judge(), []);
});
