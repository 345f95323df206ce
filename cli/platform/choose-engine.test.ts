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

for (const asked of ["auto", "process"] as const) {
  test(`${asked} is the process engine, recorded at first start`, async (t) => {
    const { folder, kind } = await setUp(t);

    t.is(await chooseEngine(folder, asked), "process");
    t.is(await kind(), "process\n");
    t.is(await chooseEngine(folder, asked), "process");
  });
}

test("an engine that this release does not have is refused, and nothing recorded", async (t) => {
  const { folder, kind } = await setUp(t);

  await t.throwsAsync(chooseEngine(folder, "docker"), { message: /Use --engine auto\.$/ });

  await t.throwsAsync(kind(), { code: "ENOENT" });
});

test("what was deployed with another engine is not replaced by a weaker one", async (t) => {
  const { folder, kind } = await setUp(t, "docker\n");

  await t.throwsAsync(chooseEngine(folder, "auto"), {
    message: `${folder} was started with the docker engine, which this release does not have; use another --data.`,
  });

  t.is(await kind(), "docker\n");
});
