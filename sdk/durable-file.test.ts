import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { writeDurably } from "./durable-file.ts";

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "durable-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return join(folder, "below", "state.json");
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

test("a file is made with its folder, readable by its owner alone unless a mode is given", async (t) => {
  const path = await setUp(t);

  await writeDurably(path, "secret");
  await writeDurably(`${path}.open`, new Uint8Array([1, 2]), 0o644);

  t.is(await readFile(path, "utf8"), "secret");
  t.is(await modeOf(path), "600");
  t.deepEqual([...(await readFile(`${path}.open`))], [1, 2]);
  t.is(await modeOf(`${path}.open`), "644");
});

test("a file that is replaced gets the mode of its new content", async (t) => {
  const path = await setUp(t);
  await writeDurably(path, "for all", 0o644);

  await writeDurably(path, "for me");

  t.is(await modeOf(path), "600");
});

test("a hundred writers at once leave one of their contents and no other file", async (t) => {
  const path = await setUp(t);
  const contents = Array.from({ length: 100 }, (_, index) => `${index}`.repeat(1_000));

  await Promise.all(contents.map((content) => writeDurably(path, content)));

  t.true(contents.includes(await readFile(path, "utf8")));
  t.deepEqual(await readdir(join(path, "..")), ["state.json"]);
});

test("a write that fails leaves the old content and no other file", async (t) => {
  const path = await setUp(t);
  await writeDurably(join(path, "in the way"), "a folder where the file should be");

  await t.throwsAsync(writeDurably(path, "new"), { code: "EISDIR" });

  t.deepEqual(await readdir(join(path, "..")), ["state.json"]);
});

/** Replaces a file with a megabyte of one letter after another, as fast as it can. */
const WRITER = `
const { writeDurably } = await import(process.argv[1]);
for (let turn = 0; ; turn++) {
  await writeDurably(process.argv[2], "bcdefghij"[turn % 9].repeat(1_000_000));
  if (turn === 0) process.stdout.write("writing");
}
`;

test("a writer killed at any moment leaves the old or the new content, never half of it", async (t) => {
  const path = await setUp(t);
  const module = join(import.meta.dirname, "durable-file.ts");
  await writeDurably(path, "a".repeat(1_000_000));

  for (let round = 0; round < 8; round += 1) {
    const args = ["--input-type=module", "--eval", WRITER, module, path];
    const writer = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const gone = once(writer, "exit");
    await Promise.race([once(writer.stdout, "data"), gone]);
    await sleep(40 * Math.random());
    t.is(writer.exitCode, null, "the writer ended on its own");
    writer.kill("SIGKILL");
    await gone;

    const content = await readFile(path, "utf8");
    t.is(content.length, 1_000_000, `round ${round}`);
    t.regex(content, /^([b-j])\1*$/, `round ${round}`);
  }
});
