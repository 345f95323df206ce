import { access, mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { HttpError } from "#sdk/errors.ts";
import { CONFIG, HOSTILE, LIMITS, packEntries, packLies } from "./test-tars.ts";
import { unpackContext } from "./unpack-context.ts";

const REFUSED: typeof HOSTILE = {
  ...HOSTILE,
  "a link that leads nowhere": [
    [{ name: "context/a", type: "symlink", linkname: "none" }],
    /leads nowhere/,
  ],
  "build secrets, which nothing here could read": [
    [{ name: "com.openfaas.secrets", text: "sealed" }],
    /need an engine with BuildKit/,
  ],
};

for (const [what, [entries, reason]] of Object.entries(REFUSED))
  test(`${what} is refused and nothing is written outside`, async (t) => {
    const folder = await makeFolder(t);

    const unpacking = unpack(folder, await packEntries([...entries, ...CONFIG]));

    const error = await t.throwsAsync(unpacking, { message: reason });
    t.like(error, { status: 422 });
    t.deepEqual(await existing([join(folder, "a"), join(folder, "../a"), "/context/a"]), []);
  });

test("files, folders, modes and links inside the context arrive as they were packed", async (t) => {
  const folder = await makeFolder(t);
  const tar = await packEntries([
    { name: "context/", type: "directory" },
    { name: "context/bin/run", text: "#!/bin/sh\n", mode: 0o4777 },
    { name: "context/big", text: "x".repeat(99_000) },
    { name: "context/bin/again", type: "symlink", linkname: "../bin/run" },
    { name: "context/leer/ä ö", text: "é" },
    { name: "README.md", text: "beside it" },
    ...CONFIG,
  ]);

  const config = await unpack(folder, tar);

  t.like(config, { image: "local/alice/shop/cart:1", lang: "node24" });
  t.is(await readFile(join(folder, "context/bin/again"), "utf8"), "#!/bin/sh\n");
  t.is(await readlink(join(folder, "context/bin/again")), "../bin/run");
  t.is((await readFile(join(folder, "context/big"))).length, 99_000);
  t.is(await readFile(join(folder, "context/leer/ä ö"), "utf8"), "é");
  t.deepEqual(await existing([join(folder, "README.md")]), []);
});

for (const [what, [tar, status]] of Object.entries(await packLies()))
  test(`${what} is refused, and not waited for`, async (t) => {
    const folder = await makeFolder(t);

    const error = await t.throwsAsync(unpack(folder, tar), { instanceOf: HttpError });

    t.is(error?.status, status);
  });

test("a tar without settings is refused", async (t) => {
  const folder = await makeFolder(t);

  const unpacking = unpack(folder, await packEntries([{ name: "context/a", text: "x" }]));

  t.like(await t.throwsAsync(unpacking), { status: 422, code: "bad-context" });
});

test("an endless body ends at the limit", async (t) => {
  const folder = await makeFolder(t);
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(64 * 1024);
    })(),
  );
  const { signal } = new AbortController();

  const unpacking = unpackContext(endless, join(folder, "context"), LIMITS, signal);

  t.regex((await t.throwsAsync(unpacking))?.message ?? "", /larger than 300000 bytes/);
});

function unpack(folder: string, tar: Uint8Array) {
  const { signal } = new AbortController();
  return unpackContext(Readable.from([tar]), join(folder, "context"), LIMITS, signal);
}

async function makeFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ofc-unpack-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths)
    await access(path).then(
      () => found.push(path),
      () => undefined,
    );
  return found;
}
