import { join } from "node:path";
import test from "ava";
import { labels } from "#sdk/labels.ts";
import { openOn, openUnderTest } from "../process/test-kit.ts";
import { createRecordStore } from "./function-record.ts";

test("a switch back that a crash interrupted is completed by the next platform, which never returns to what gave way", async (t) => {
  const under = await openUnderTest({ isolation: "none" });
  t.teardown(under.dispose);
  await under.engine.deploy(released(under.image, "good", 1));
  await under.engine.deploy(released(under.image, "shaky", 2));
  await under.engine.close(0);
  const records = createRecordStore(join(under.folder, "engine", "functions"));
  const switchedBack = {
    from: { release: "shaky", fence: 2 },
    reason: "crash loop: replica fn-1f2e3d4c exited with code 9",
  };
  const [record] = await records.read();
  if (record?.previous === undefined) throw new Error("There is nothing to go back to.");
  // What is on disk between the decision and the publication.
  const next = { ...record.previous, fence: 3, switchedBack };
  await records.write({ ...record, fence: 3, next });

  const engine = await openOn(under.folder, { isolation: "none" });
  t.teardown(() => engine.close(0));
  await engine.ready();

  const [item] = await engine.inventory();
  t.like(item, { current: { release: "good", fence: 3 }, switchedBack });
  const [ended] = await records.read();
  t.deepEqual(ended?.current, next);
  t.deepEqual([ended?.next, ended?.previous], [undefined, undefined]);
});

function released(image: string, release: string, fence: number) {
  const name = { [labels.release]: release, [labels.fence]: String(fence) };
  return { service: "fn", image, envVars: { version: release }, labels: name };
}
