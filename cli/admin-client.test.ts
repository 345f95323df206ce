import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { serve } from "#sdk/serve.ts";
import { connectAdmin } from "./admin-client.ts";
import { runningFile } from "./running-file.ts";

/** A data folder whose platform answers `[1, 2]`, and what it says of itself. */
async function setUp(t: ExecutionContext) {
  const dataFolder = await mkdtemp(join(tmpdir(), "admin-"));
  const socket = join(dataFolder, "admin.sock");
  const served = await serve(async () => Response.json([1, 2]), { socketPath: socket });
  t.teardown(async () => {
    await served.close(0);
    await rm(dataFolder, { recursive: true });
  });
  await mkdir(dirname(runningFile(dataFolder)));
  const write = (text: string) => writeFile(runningFile(dataFolder), text);
  const running = { pid: process.pid, url: "http://127.0.0.1:8080/", socket };
  await write(JSON.stringify(running));
  return { dataFolder, running, write };
}

test("the platform is found through its data folder", async (t) => {
  const { dataFolder, running } = await setUp(t);

  const admin = await connectAdmin(dataFolder);

  t.deepEqual(admin.running, running);
  t.deepEqual(await admin.get("/", z.array(z.number())), [1, 2]);
});

for (const [what, content] of [
  ["of a process that is gone", '{"pid":2147483647,"url":"http://x/","socket":"/x"}'],
  ["that is half written", '{"pid":'],
  ["of another shape", "{}"],
] as const) {
  test(`a running file ${what} means that no platform runs`, async (t) => {
    const { dataFolder, write } = await setUp(t);
    await write(content);

    await t.throwsAsync(connectAdmin(dataFolder), {
      message: `No platform runs on ${dataFolder}. Start one with: ./ofc up (or name its folder with --data DIR)`,
    });
  });
}

test("a platform that does not answer is told apart from one that does not run", async (t) => {
  const { dataFolder, running, write } = await setUp(t);
  await write(JSON.stringify({ ...running, socket: `${running.socket}.gone` }));
  const admin = await connectAdmin(dataFolder);

  await t.throwsAsync(admin.get("/owners", z.unknown()), {
    message: /^The platform on .* does not answer \(.*ENOENT.*\); is it stopping\? Start it with: /,
  });
});

test("an answer of another release is said to be one", async (t) => {
  const { dataFolder } = await setUp(t);
  const admin = await connectAdmin(dataFolder);

  await t.throwsAsync(admin.get("/owners", z.string()), {
    message: /answer to \/owners has another shape; is it of another release\? Restart it\./,
  });
});
