import { readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import test from "ava";
import { setUp } from "./set-up.ts";

const LOCKS = ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock"];

test.serial("mirrors with the locks of a killed git are fetched into again", async (t) => {
  const { stage, forge, github, judge } = await setUp(t);
  const mirrors = await listBare(join(stage.dataFolder, "git/mirrors"));
  t.true(mirrors.length >= 2);
  for (const mirror of mirrors) for (const lock of LOCKS) await writeFile(join(mirror, lock), "");

  for (const tree of [forge, github]) await tree.push("good");

  t.deepEqual(await judge(), []);
});

test.serial(
  "a repository of the forge with the locks of a killed git takes pushes after a restart",
  async (t) => {
    const { stage, forge, judge } = await setUp(t);
    await stage.victim.kill("SIGKILL");
    for (const repository of await listBare(join(stage.dataFolder, "git/forge")))
      for (const lock of [...LOCKS, "refs/heads/main.lock"])
        await writeFile(join(repository, lock), "");
    await (await stage.live()).ready;

    const { accepted } = await forge.push("good");

    t.true(accepted);
    t.deepEqual(await judge(), []);
  },
);

async function listBare(folder: string): Promise<string[]> {
  const paths = await readdir(folder, { recursive: true });
  return paths
    .filter((path) => /(^|\/)HEAD$/.test(path) && !path.includes("logs/"))
    .map((path) => join(folder, dirname(path)));
}
