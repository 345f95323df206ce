import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { createFileObjects } from "./object-store.ts";

async function setUp(t: ExecutionContext) {
  const root = await mkdtemp(join(tmpdir(), "objects-"));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  return { root, objects: createFileObjects(join(root, "v1")) };
}

test("an object is read back, replaced, listed and removed", async (t) => {
  const { objects } = await setUp(t);

  await objects.put("forge:1/forge:10/b1/cart.log", "one");
  await objects.put("forge:1/forge:10/b1/cart.log", Buffer.from("two"));
  await objects.put("forge:1/forge:10/b0/cart.log", "old");

  t.is((await objects.get("forge:1/forge:10/b1/cart.log"))?.toString(), "two");
  t.deepEqual(await objects.list("forge:1/forge:10"), ["b0", "b1"]);
  await objects.remove("forge:1/forge:10/b1");
  t.is(await objects.get("forge:1/forge:10/b1/cart.log"), undefined);
  t.deepEqual(await objects.list("forge:1/forge:10"), ["b0"]);
});

test("what is not there reads as nothing and is removed without complaint", async (t) => {
  const { objects } = await setUp(t);

  t.is(await objects.get("a/b"), undefined);
  t.deepEqual(await objects.list("a"), []);
  await t.notThrowsAsync(objects.remove("a"));
});

for (const key of [
  "../out",
  "a/../../out",
  "/etc/passwd",
  "a//b",
  "a/.hidden",
  "a/b\0",
  "",
  "a\\b",
  ".",
]) {
  test(`key ${JSON.stringify(key)} is refused and nothing is written`, async (t) => {
    const { root, objects } = await setUp(t);

    await t.throwsAsync(async () => objects.put(key, "x"), { message: /Object key part/ });
    await t.throwsAsync(async () => objects.get(key), { message: /Object key part/ });
    await t.throwsAsync(async () => objects.remove(key), { message: /Object key part/ });
    t.deepEqual(await readdir(root), []);
  });
}
