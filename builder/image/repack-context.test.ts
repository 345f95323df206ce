import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { extract } from "tar-stream";
import { HttpError } from "#sdk/errors.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { collect } from "../test-builder.ts";
import { CONFIG, HOSTILE, LIMITS, packEntries, packLies } from "../test-tars.ts";
import { repackContext } from "./repack-context.ts";
import { takeHead } from "./take-head.ts";

const DOCKERFILE = { name: "context/Dockerfile", text: "FROM a\n" };

const REFUSED: typeof HOSTILE = {
  ...HOSTILE,
  "a Dockerfile that is a link": [
    [{ name: "context/Dockerfile", type: "symlink", linkname: "a" }],
    /no context\/Dockerfile|appears twice/,
  ],
  "a Dockerfile beyond reading": [
    [{ name: "context/Dockerfile", text: "x".repeat(70_000) }],
    /at most 65536 are read/,
  ],
};
for (const [what, [entries, reason]] of Object.entries(REFUSED))
  for (const place of ["first", "last"])
    test(`${what} is refused where it comes ${place}`, async (t) => {
      const rest = /Dockerfile/.test(what) ? CONFIG : [...CONFIG, DOCKERFILE];
      const all = place === "first" ? [...entries, ...rest] : [...rest, ...entries];

      const error = await t.throwsAsync(read(t, await packEntries(all)), { message: reason });

      t.like(error, { status: 422 });
    });

for (const [what, [tar, status]] of Object.entries(await packLies()))
  test(`${what} is refused, and not waited for`, async (t) => {
    const error = await t.throwsAsync(read(t, tar), { instanceOf: HttpError });

    t.is(error?.status, status);
  });

for (const [what, entries, reason] of [
  ["settings", [DOCKERFILE], /has no com\.openfaas\.docker\.config/],
  ["a Dockerfile", CONFIG, /has no context\/Dockerfile/],
] as const)
  test(`a tar without ${what} is refused`, async (t) => {
    await t.throwsAsync(read(t, await packEntries(entries)), { message: reason });
  });

test("a tar that ends in the middle is refused, wherever", async (t) => {
  const tar = await packEntries([
    ...CONFIG,
    DOCKERFILE,
    { name: "context/a", text: "x".repeat(9_000) },
  ]);

  for (const at of [100, 700, 1_700, 3_000, 8_000])
    t.like(await t.throwsAsync(read(t, tar.subarray(0, at)), undefined, `${at}`), { status: 400 });
});

test("the context is written anew at the root, with fixed times and plain modes, its folder first", async (t) => {
  const tar = await packEntries([
    { name: "com.openfaas.secrets", text: "sealed" },
    { name: "context/bin/run", text: "#!", mode: 0o6777, uid: 7, mtime: new Date(9e11) },
    { name: "./context/ä/ö", text: "é" },
    { name: "context/again", type: "symlink", linkname: "bin/run" },
    DOCKERFILE,
    ...CONFIG,
  ]);

  const taken: string[] = [];
  const { entries, config, dockerfile } = await read(t, tar, (envelope) =>
    taken.push(Buffer.from(envelope).toString()),
  );

  t.deepEqual(taken, ["sealed"]);
  t.deepEqual(entries, [
    ["./", "directory", 0o755, ""],
    ["bin/run", "file", 0o755, "#!"],
    ["ä/ö", "file", 0o644, "é"],
    ["again", "symlink", 0o777, ""],
    ["Dockerfile", "file", 0o644, "FROM a\n"],
  ]);
  t.is(config.image, "local/alice/shop/cart:1");
  t.is(dockerfile, "FROM a\n");
});

test("a head that comes early is known before the rest has come", async (t) => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const tar = await packEntries([
    ...CONFIG,
    DOCKERFILE,
    { name: "context/z", text: "x".repeat(200_000) },
  ]);
  async function* slowly() {
    yield tar.subarray(0, 10_000);
    await asked;
    yield tar.subarray(10_000);
  }

  const { signal } = new AbortController();
  const repacked = repackContext(Readable.from(slowly()), DEFAULT_SETTINGS, signal, noSecrets);
  const { context, dockerfile } = await takeHead(repacked, "/none");
  ask();

  t.is(dockerfile, "FROM a\n");
  t.is((await collect(context)).length % 512, 0);
});

test("a head that comes late, behind more than is held, loses nothing", async (t) => {
  const text = "x".repeat(2_500_000);
  const big = { name: "context/big", text };

  const tar = await packEntries([big, DOCKERFILE, ...CONFIG]);
  const { entries } = await read(t, tar, noSecrets, DEFAULT_SETTINGS);

  t.is(entries.find(([name]) => name === "big")?.[3].length, text.length);
});

test("an abort ends the reading with its reason", async (t) => {
  const leaving = new AbortController();
  const body = new Readable({ read() {} });
  const repacked = repackContext(body, LIMITS, leaving.signal, noSecrets);

  leaving.abort(new Error("superseded"));

  await t.throwsAsync(takeHead(repacked, "/none"), { message: "superseded" });
  t.true(body.destroyed);
});

function noSecrets(): void {
  throw new Error("There are none in these.");
}

async function read(
  t: ExecutionContext,
  tar: Uint8Array,
  takeSecrets: (envelope: Uint8Array) => void = noSecrets,
  settings = LIMITS,
) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-repack-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { signal } = new AbortController();
  const repacked = repackContext(Readable.from([tar]), settings, signal, takeSecrets);
  const { context, config, dockerfile } = await takeHead(repacked, join(folder, "spool"));
  const archive = extract();
  const whole = await collect(context);
  archive.end(whole);
  const entries: [string, string, number, string][] = [];
  for await (const entry of archive) {
    const { name, type = "", mode = 0 } = entry.header;
    entries.push([name, type ?? "", mode, Buffer.from(await collect(entry)).toString()]);
  }
  return { entries, config, dockerfile };
}
