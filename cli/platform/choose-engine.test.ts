import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { chooseEngine } from "./choose-engine.ts";

async function setUp(t: ExecutionContext, recorded?: string) {
  const folder = await mkdtemp(join(tmpdir(), "engine-"));
  t.teardown(() => rm(folder, { recursive: true }));
  if (recorded !== undefined) {
    await mkdir(join(folder, "engine"));
    await writeFile(join(folder, "engine/kind"), recorded);
  }
  return { folder, kind: () => readFile(join(folder, "engine/kind"), "utf8") };
}

const answers = async () => {};
const isAway = async () => {
  throw new Error("No Docker answers");
};

for (const [asked, chosen] of [
  ["auto", "process"],
  ["process", "process"],
  ["docker", "docker"],
] as const) {
  test(`${asked} is the ${chosen} engine, recorded at first start`, async (t) => {
    const { folder, kind } = await setUp(t);

    t.is(await chooseEngine(folder, asked, answers), chosen);
    t.is(await kind(), `${chosen}\n`);
    t.is(await chooseEngine(folder, "auto", isAway), chosen);
  });
}

test("where Docker cannot be used the docker engine is refused, and nothing recorded", async (t) => {
  const { folder, kind } = await setUp(t);

  await t.throwsAsync(chooseEngine(folder, "docker", isAway), { message: "No Docker answers" });

  await t.throwsAsync(kind(), { code: "ENOENT" });
});

for (const [recorded, asked, why] of [
  ["docker", "process", "and what was deployed lives in it; use --engine auto"],
  ["process", "docker", "and what was deployed lives in it; use --engine auto"],
  ["swarm", "auto", "which this release does not have; use the one that has it"],
] as const) {
  test(`what was deployed with the ${recorded} engine is not replaced when asked for ${asked}`, async (t) => {
    const { folder, kind } = await setUp(t, `${recorded}\n`);

    await t.throwsAsync(chooseEngine(folder, asked, answers), {
      message: `${folder} was started with the ${recorded} engine, ${why}, or another --data.`,
    });

    t.is(await kind(), `${recorded}\n`);
  });
}
