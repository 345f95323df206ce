import test from "ava";
import { until } from "../test/helpers/until.ts";
import { createGather } from "./gather.ts";

function setUp() {
  const sent: string[] = [];
  const gather = createGather<string>(async (items) => void sent.push(items.join("+")));
  return { sent, gather };
}

test("the first is sent at once, and what follows it together", async (t) => {
  const { sent, gather } = setUp();

  await gather("key", "1");
  t.deepEqual(sent, ["1"]);
  const [, told] = await Promise.all([gather("key", "2"), gather("key", "3")]);

  t.deepEqual(sent, ["1", "2+3"]);
  t.deepEqual(told, ["2", "3"]);
});

test("keys do not wait for one another", async (t) => {
  const { sent, gather } = setUp();

  await gather("one", "1");
  void gather("one", "2");
  await gather("other", "3");

  t.deepEqual(sent, ["1", "3"]);
  await until(() => sent.length === 3);
});

test("what comes while a slow send is under way is sent after it", async (t) => {
  let release = (): void => {};
  const sent: string[] = [];
  const gather = createGather<string>(async (items) => {
    sent.push(items.join("+"));
    if (sent.length === 1) await new Promise<void>((resolve) => (release = resolve));
  });

  const first = gather("key", "1");
  await until(() => sent.length === 1);
  const second = gather("key", "2");
  release();
  await Promise.all([first, second]);

  t.deepEqual(sent, ["1", "2"]);
});
