import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { makeBareRepository } from "./bare-repository.ts";
import { removeStaleLocks } from "./remove-stale-locks.ts";

async function setUp(t: ExecutionContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "forge-locks-"));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  await makeBareRepository(join(root, "1.git"));
  return join(root, "1.git");
}

test("a git that is still clearing up after itself is no hindrance", async (t) => {
  const folder = await setUp(t);
  let over = false;
  const clearing = Promise.all(
    Array.from({ length: 8 }, async (_, at) => {
      const objects = join(folder, `objects/${at}${at}`);
      while (!over) {
        await mkdir(join(objects, "deeper"), { recursive: true });
        await rm(objects, { recursive: true });
      }
    }),
  );

  for (let left = 100; left > 0; left -= 1) await t.notThrowsAsync(removeStaleLocks(folder));

  over = true;
  await clearing;
});

test("locks and half-written files go, what git made stays", async (t) => {
  const folder = await setUp(t);
  await mkdir(join(folder, "objects/incoming-x1/pack"), { recursive: true });
  const stale = ["HEAD.lock", "refs/heads/main.lock", "objects/pack/tmp_pack_1"];
  const kept = ["refs/heads/main", "objects/pack/pack-1.pack"];
  for (const path of [...stale, ...kept]) await writeFile(join(folder, path), "");

  const removed = await removeStaleLocks(folder);

  t.deepEqual([...removed].sort(), [...stale, "objects/incoming-x1"].sort());
  t.deepEqual(await removeStaleLocks(folder), []);
});
