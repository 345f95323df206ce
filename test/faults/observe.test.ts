import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { createRecordStore } from "../../provider/engine/function-record.ts";
import { readRecords } from "./observe.ts";

test("a record is seen at the fence of what serves, whatever failed after it", async (t) => {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-test-"));
  t.teardown(() => rm(dataFolder, { recursive: true }));
  const folder = join(dataFolder, "engine/functions");
  await mkdir(folder, { recursive: true });
  const name = "alice-cart";
  const deployment = { service: name, image: "cart:1" };
  const switchedBack = { from: { release: "two", fence: 2 }, reason: "crash loop" };

  await createRecordStore(folder).write({
    v: 1,
    name,
    createdAt: "2026-11-20T12:00:00.000Z",
    replicas: 1,
    fence: 4,
    current: { release: "one", fence: 3, deployment, switchedBack },
    next: { release: "three", fence: 4, deployment, failed: "exited with code 1" },
  });

  t.deepEqual(await readRecords(dataFolder), [
    { service: name, fence: 3, release: "one", pending: false, switchedBack: true },
  ]);
});
