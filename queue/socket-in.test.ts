import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { socketIn } from "./socket-in.ts";

test("a socket is in its folder, or in a short one of its own when the path would not fit", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "socket-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));

  const near = await socketIn(folder, "redis.sock");
  const far = await socketIn(join(folder, "x".repeat(120)), "redis.sock");

  t.is(near.path, join(folder, "redis.sock"));
  t.true(far.path.length < 60);
  t.is((await stat(dirname(far.path))).mode & 0o777, 0o700);
  await far.remove();
  await t.throwsAsync(stat(dirname(far.path)), { code: "ENOENT" });
});
