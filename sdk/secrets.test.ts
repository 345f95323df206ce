import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { readSecret } from "./secrets.ts";

async function setUp(t: ExecutionContext, content?: string) {
  const folder = await mkdtemp(join(tmpdir(), "secrets-"));
  t.teardown(() => rm(folder, { recursive: true }));
  if (content !== undefined) await writeFile(join(folder, "payload-secret"), content);
  return folder;
}

test("a secret is its file's content without the space around it", async (t) => {
  const folder = await setUp(t, "  two words\r\n");

  t.is(await readSecret(folder, "payload-secret"), "two words");
});

test("an absent secret is refused with its name and file", async (t) => {
  const folder = await setUp(t);

  await t.throwsAsync(readSecret(folder, "payload-secret"), {
    message: `Secret payload-secret cannot be read (ENOENT): ${folder}/payload-secret`,
  });
});

for (const content of ["", "\n", " \t\r\n"]) {
  test(`a secret of ${JSON.stringify(content)} is refused as empty`, async (t) => {
    const folder = await setUp(t, content);

    await t.throwsAsync(readSecret(folder, "payload-secret"), {
      message: `Secret payload-secret is empty: ${folder}/payload-secret`,
    });
  });
}
