import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { eventually } from "../test-kit.ts";
import { findIsolation } from "./isolation.ts";
import { createReplicaFolder } from "./replica-folder.ts";
import { defaultSettings } from "./settings.ts";
import { startProcess } from "./start-process.ts";

const USER_ID = 61_999;

// Killing the outer process before it had tied its child to its own life once left that child running.
test("a replica that is killed at any moment of its start leaves nothing behind", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "ofc-start-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const isolation = await findIsolation(home, defaultSettings);
  const folder = join(home, "replica");
  await createReplicaFolder(folder, USER_ID);
  const mark = randomUUID();
  const artifact = {
    root: join(folder, "tmp"),
    command: ["sh", "-c", "sleep 1000", mark] as const,
    env: {},
  };
  const launch = isolation.launch({ artifact, folder, userId: USER_ID });

  await Promise.all(
    Array.from({ length: 120 }, async (_, index) => {
      await sleep(index * 10);
      const started = startProcess(launch, { PATH: "/usr/bin:/bin" });
      await sleep((index % 40) * 0.75);
      started.kill("SIGKILL");
      await started.ended;
    }),
  );

  t.deepEqual(await eventually(() => findByArgument(mark), [], 2_000), []);
});

async function findByArgument(mark: string): Promise<string[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    names.map((name) => readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")),
  );
  return commands.filter((command) => command.includes(mark));
}
