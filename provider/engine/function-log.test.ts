import { appendFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { createFunctionLog, type FunctionLog } from "./function-log.ts";

test("a log grows to its limit and keeps the newest lines", async (t) => {
  const { log, folder } = await setUp(t, 20_000);

  for (let index = 0; index < 400; index++)
    await log.append("fn-1", [`${index} ${"x".repeat(100)}`]);

  const sizes = await Promise.all(
    (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size),
  );
  t.true(sizes.reduce((sum, size) => sum + size, 0) <= 21_000, sizes.join(" "));
  const kept = await texts(log);
  t.regex(kept.at(-1) ?? "", /^399 /);
  t.true(kept.length > 50);
});

test("what was logged is there after a restart, without the half line of a crash", async (t) => {
  const { log, folder } = await setUp(t, 20_000);
  await log.append("fn-1", ["kept"]);
  await appendFile(join(folder, "newer.ndjson"), '["2026-01-01T00:00:00');

  const again = createFunctionLog(folder, identity, 20_000);
  await again.append("fn-2", ["after"]);

  t.deepEqual(await texts(again), ["kept", "after"]);
});

test("a follower gets every line once, whatever is written while it begins", async (t) => {
  const { log } = await setUp(t, 1_000_000);
  const leaving = new AbortController();
  const writing = (async () => {
    for (let index = 0; index < 200; index++) await log.append("fn-1", [String(index)]);
  })();

  const heard: string[] = [];
  for await (const { text } of log.read({ follow: true, signal: leaving.signal })) {
    heard.push(text);
    if (text === "199") leaving.abort();
  }
  await writing;

  t.deepEqual(
    heard,
    Array.from({ length: 200 }, (_, index) => String(index)),
  );
});

test("an erased log begins anew", async (t) => {
  const { log } = await setUp(t, 20_000);
  await log.append("fn-1", ["old"]);

  await log.remove();
  const erased = await texts(log);
  await log.append("fn-2", ["new"]);

  t.deepEqual(erased, []);
  t.deepEqual(await texts(log), ["new"]);
});

const identity = { name: "fn", namespace: "openfaas-fn" };

async function setUp(t: ExecutionContext, limitBytes: number) {
  const home = await mkdtemp(join(tmpdir(), "ofc-log-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const folder = join(home, "fn");
  return { log: createFunctionLog(folder, identity, limitBytes), folder };
}

async function texts(log: FunctionLog): Promise<string[]> {
  const collected: string[] = [];
  const { signal } = new AbortController();
  for await (const { text } of log.read({ follow: false, signal })) collected.push(text);
  return collected;
}
