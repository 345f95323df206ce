import test from "ava";
import { setUp } from "./set-up.ts";

const FAST = { catch_up_interval: "1s" };

test.serial("a lost webhook is noticed: the commit is built all the same", async (t) => {
  const { stage, github, network, judge } = await setUp(t, FAST);
  network.lost = 1;

  for (let commit = 0; commit < 3; commit += 1) await github.push("good");

  t.deepEqual(await judge(), []);
  t.true(stage.github.counts.lost >= 3, "each was lost, and what was sent again");
});

test.serial("a webhook that comes twice makes one build", async (t) => {
  const { stage, github, network, judge } = await setUp(t);
  network.doubled = 1;

  await github.push("good");
  const breaches = await judge();

  t.deepEqual(breaches, []);
  t.is(stage.github.counts.doubled, 1);
});

test.serial(
  "webhooks that change places do not put an older commit over a newer one",
  async (t) => {
    const { github, network, judge } = await setUp(t, FAST);

    for (let round = 0; round < 4; round += 1) {
      network.late = 1;
      const older = github.push("good");
      await older;
      network.late = 0;
      await github.push("good");
    }

    t.deepEqual(await judge(), []);
  },
);
