import { access, mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { type Header, pack } from "tar-stream";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { collect, configEntry } from "./test-builder.ts";
import { unpackContext } from "./unpack-context.ts";

type Entry = Partial<Header> & { name: string; text?: string };

const CONFIG = Object.entries(configEntry()).map(([name, text]) => ({ name, text }));
const LIMITS = {
  ...DEFAULT_SETTINGS,
  maxEntries: 50,
  maxFileBytes: 100_000,
  maxContextBytes: 300_000,
  maxPathBytes: 300,
};

const HOSTILE: Readonly<Record<string, readonly [readonly Entry[], RegExp]>> = {
  "an absolute name": [[{ name: "/context/a", text: "x" }], /absolute name/],
  "a name that climbs": [[{ name: "context/../../a", text: "x" }], /"\.\." in its name/],
  "a name that climbs after ./": [[{ name: "./context/../a", text: "x" }], /"\.\." in its name/],
  "a line break in a name": [[{ name: "context/a\nb", text: "x" }], /control character/],
  "a path over the limit": [[{ name: `context/${"a/".repeat(200)}b`, text: "" }], /over 300 bytes/],
  "a name over 255 bytes": [[{ name: `context/${"a".repeat(256)}`, text: "" }], /over 255 bytes/],
  "a link to an absolute path": [
    [{ name: "context/a", type: "symlink", linkname: "/etc/passwd" }],
    /stay inside the context/,
  ],
  "a link that climbs": [
    [{ name: "context/d/a", type: "symlink", linkname: "../../x" }],
    /outside the context/,
  ],
  "links that climb only together": [
    [
      { name: "context/a/b/c", type: "directory" },
      { name: "context/up", type: "symlink", linkname: "a/b" },
      { name: "context/a/b/out", type: "symlink", linkname: "../../up/../../.." },
    ],
    /outside the context|leaves the context|leads nowhere/,
  ],
  "a link to a link to its folder's folder": [
    [
      { name: "context/d/root", type: "symlink", linkname: ".." },
      { name: "context/out", type: "symlink", linkname: "d/root/../config.json" },
    ],
    /leads nowhere|leaves the context/,
  ],
  "a file written through a link": [
    [
      { name: "context/d", type: "symlink", linkname: "." },
      { name: "context/d/a", text: "x" },
    ],
    /lies below the link d/,
  ],
  "a link that replaces a folder": [
    [
      { name: "context/d/a", text: "x" },
      { name: "context/d", type: "symlink", linkname: "." },
    ],
    /appears twice/,
  ],
  "a link that leads nowhere": [
    [{ name: "context/a", type: "symlink", linkname: "none" }],
    /leads nowhere/,
  ],
  "a link to itself": [[{ name: "context/a", type: "symlink", linkname: "a" }], /leads nowhere/],
  "a hard link": [
    [
      { name: "context/a", text: "x" },
      { name: "context/b", type: "link", linkname: "/etc/passwd" },
    ],
    /is a link/,
  ],
  "a device": [
    [{ name: "context/a", type: "character-device", devmajor: 1, devminor: 3 }],
    /device/,
  ],
  "a FIFO": [[{ name: "context/a", type: "fifo" }], /is a fifo/],
  "the same name twice": [
    [
      { name: "context/a", text: "x" },
      { name: "./context//a", text: "y" },
    ],
    /appears twice/,
  ],
  "a file below a file": [
    [
      { name: "context/a", text: "x" },
      { name: "context/a/b", text: "y" },
    ],
    /lies below the file a/,
  ],
  "a context that is a file": [[{ name: "context", text: "x" }], /must be a folder/],
  "a context that is a link": [
    [{ name: "context", type: "symlink", linkname: "/etc" }],
    /must be a folder/,
  ],
  "a file over its limit": [[{ name: "context/a", text: "x".repeat(100_001) }], /at most 100000/],
  "files over the limit together": [
    Array.from({ length: 4 }, (_, index) => ({
      name: `context/${index}`,
      text: "x".repeat(90_000),
    })),
    /over 300000 bytes/,
  ],
  "too many entries": [
    Array.from({ length: 51 }, (_, index) => ({ name: `context/${index}`, text: "" })),
    /one entry too many/,
  ],
  "settings over their limit": [
    [{ name: "com.openfaas.docker.config", text: "x".repeat(70_000) }],
    /at most 65536 fit/,
  ],
  "settings that come twice": [CONFIG, /appears twice/],
  "build secrets, which nothing here could read": [
    [{ name: "com.openfaas.secrets", text: "sealed" }],
    /need an engine with BuildKit/,
  ],
  "settings that are a link": [
    [{ name: "com.openfaas.docker.config", type: "symlink", linkname: "/etc/passwd" }],
    /must be a file/,
  ],
};

for (const [what, [entries, reason]] of Object.entries(HOSTILE))
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

test("a tar that ends in the middle of a file is refused", async (t) => {
  const folder = await makeFolder(t);
  const tar = await packEntries([...CONFIG, { name: "context/a", text: "x".repeat(50_000) }]);

  const unpacking = unpack(folder, tar.subarray(0, 20_000));

  t.like(await t.throwsAsync(unpacking), { status: 400 });
});

test("a tar that ends before a file's first byte is refused", async (t) => {
  const folder = await makeFolder(t);
  const tar = Buffer.from(await packEntries([{ name: "context/a", text: "" }]));
  tar.write("4755".padEnd(12, "\0"), 124, "latin1");
  writeChecksum(tar);

  const unpacking = unpack(folder, tar.subarray(0, 1_536));

  t.like(await t.throwsAsync(unpacking), { status: 400, code: "bad-tar" });
});

test("bytes that are no tar are refused", async (t) => {
  const folder = await makeFolder(t);

  const unpacking = unpack(folder, new Uint8Array(2_000).fill(65));

  t.like(await t.throwsAsync(unpacking), { status: 400 });
});

test("a size that lies about gigabytes is refused before they come", async (t) => {
  const folder = await makeFolder(t);
  const tar = await packEntries([{ name: "context/a", text: "x" }]);
  const lying = Buffer.from(tar);
  lying.write("77777777777\0", 124, "latin1");
  writeChecksum(lying);

  const unpacking = unpack(folder, lying);

  t.regex((await t.throwsAsync(unpacking))?.message ?? "", /over 300000 bytes/);
});

test("a size that is no number is refused, not waited for", async (t) => {
  const folder = await makeFolder(t);
  const tar = Buffer.from(await packEntries([...CONFIG, { name: "context/a", text: "x" }]));
  const header = tar.subarray(tar.indexOf("context/a"));
  // Neither octal nor one of the two marks of a binary number.
  header.writeUInt8(0xac, 124);
  writeChecksum(header);

  const unpacking = unpack(folder, tar);

  t.like(await t.throwsAsync(unpacking, { message: /has a size that is no number/ }), {
    status: 422,
  });
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

async function packEntries(entries: readonly Entry[]): Promise<Uint8Array<ArrayBuffer>> {
  const tar = pack();
  for (const { text, ...header } of entries) {
    if (text === undefined) tar.entry(header);
    else tar.entry(header, text);
  }
  tar.finalize();
  return collect(tar);
}

/** The sum of a header's bytes, its own field read as blanks. */
function writeChecksum(header: Buffer): void {
  header.fill(" ", 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
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
