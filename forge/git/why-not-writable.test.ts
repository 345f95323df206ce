import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { whyNotWritable } from "./why-not-writable.ts";

test("a folder that can be written to is no reason, and an empty file is all that is left", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "writable-"));
  t.teardown(() => rm(folder, { recursive: true }));

  t.is(whyNotWritable(folder), undefined);
  t.is(whyNotWritable(folder), undefined);

  t.deepEqual(await readdir(folder), ["probe"]);
  t.is((await stat(join(folder, "probe"))).size, 0);
});

test("a folder that is gone is told with the system's code", (t) => {
  t.is(
    whyNotWritable("/nonexistent/folder"),
    "Nothing was taken: the platform's disk cannot be written to (ENOENT); tell its operator and push again later",
  );
});
