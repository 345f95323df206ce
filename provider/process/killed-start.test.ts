import test from "ava";
import { listDescendants } from "../../test/faults/processes.ts";
import { until } from "../../test/helpers/until.ts";
import { call, released } from "../contract/contract-kit.ts";
import { openUnderTest } from "./test-kit.ts";

/** The first processes of all replicas' worlds: the children of `unshare`. */
function findWorlds(): number[] {
  const all = listDescendants(process.pid);
  const outer = new Set(
    all.filter(({ words }) => words.startsWith("unshare ")).map(({ pid }) => pid),
  );
  return all.filter(({ parent }) => outer.has(parent)).map(({ pid }) => pid);
}

const under = await openUnderTest();
test.after.always(() => under.dispose());

test("a replica whose first process is killed while it starts says nothing about its version", async (t) => {
  const deploying = under.engine.deploy({
    ...released(under.image, "r1", 1, "v1"),
    annotations: { "com.openfaas.health.http.initialDelay": "2s" },
  });
  if (/^none/.test(under.engine.isolation)) {
    t.log("replicas have no world of their own here");
    await deploying;
    t.pass();
    return;
  }

  const [first = 0] = await until(() => {
    const found = findWorlds();
    return found.length > 0 && found;
  });
  process.kill(first, "SIGKILL");

  await t.notThrowsAsync(deploying);
  t.is(await call(under.engine, "fn"), "v1");
});
