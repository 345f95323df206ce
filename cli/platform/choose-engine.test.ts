import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ConfigError } from "#sdk/env.ts";
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
  ["auto", "docker"],
  ["process", "process"],
  ["docker", "docker"],
] as const) {
  test(`${asked} is the ${chosen} engine, recorded at first start`, async (t) => {
    const { folder, kind } = await setUp(t);

    t.deepEqual(await chooseEngine(folder, asked, answers), { kind: chosen });
    t.is(await kind(), `${chosen}\n`);
    t.deepEqual(await chooseEngine(folder, "auto", isAway), { kind: chosen });
  });
}

test("auto is the process engine where Docker cannot be used, says why, and stays it", async (t) => {
  const { folder, kind } = await setUp(t);

  const first = await chooseEngine(folder, "auto", isAway);
  const next = await chooseEngine(folder, "auto", answers);

  t.deepEqual(first, { kind: "process", whyNotDocker: "No Docker answers" });
  t.deepEqual(next, { kind: "process" });
  t.is(await kind(), "process\n");
});

test("a setting that cannot be read decides for no engine", async (t) => {
  const { folder, kind } = await setUp(t);
  const isMistyped = async () => {
    throw new ConfigError(['function_tmp_mb is "much"']);
  };

  await t.throwsAsync(chooseEngine(folder, "auto", isMistyped), { instanceOf: ConfigError });

  await t.throwsAsync(kind(), { code: "ENOENT" });
});

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
