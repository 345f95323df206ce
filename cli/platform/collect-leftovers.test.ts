import { access, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { goLive } from "#ledger/test-support/go-live.ts";
import {
  buildOf,
  claim,
  plannedFunction,
  planOf,
  push,
  setUp as setUpLedger,
} from "#ledger/test-support/set-up.ts";
import { silentLog } from "#sdk/log.ts";
import { deployedFunction } from "../../test/helpers/loopback-gateway.ts";
import { collectLeftovers } from "./collect-leftovers.ts";

const HOUR_MS = 3_600_000;

async function setUp(t: ExecutionContext) {
  const { ledger } = setUpLedger(t);
  const dataFolder = await mkdtemp(join(tmpdir(), "leftovers-"));
  t.teardown(() => rm(dataFolder, { recursive: true }));
  const deployed = new Set<string>();
  const now = Date.now();
  return {
    ledger,
    deployed,
    collect: async () => {
      const engine = { list: async () => [...deployed].map((name) => deployedFunction(name)) };
      const settings = { keepUnusedMs: 24 * HOUR_MS };
      const tools = { dataFolder, ledger, engine, settings, log: silentLog };
      const paths = await collectLeftovers(tools, now);
      return paths.map((path) => path.slice(dataFolder.length + 1)).sort();
    },
    /** A file that was last written so long ago, and so were its folders. */
    async write(path: string, ageMs: number): Promise<void> {
      await mkdir(dirname(join(dataFolder, path)), { recursive: true });
      await writeFile(join(dataFolder, path), "x");
      const at = new Date(now - ageMs);
      for (let place = path; place !== "."; place = dirname(place))
        await utimes(join(dataFolder, place), at, at);
    },
    isThere: (path: string) =>
      access(join(dataFolder, path)).then(
        () => true,
        () => false,
      ),
    list: (path: string) => readdir(join(dataFolder, path)),
  };
}

test("what a function printed goes with it, though its removal was killed half-way", async (t) => {
  const { ledger, deployed, collect, write, isThere, list } = await setUp(t);
  deployed.add("by-hand");
  const starting = claim(ledger, buildOf(ledger.acceptPush(push())));
  ledger.storePlan(starting, planOf(plannedFunction("cart")), []);
  for (const name of ["by-hand", "alice-cart", "alice-gone"])
    await write(`engine/logs/${name}/newer.ndjson`, HOUR_MS);

  const dropped = await collect();

  t.deepEqual(dropped, ["engine/logs/alice-gone/newer.ndjson"]);
  t.true(await isThere("engine/logs/by-hand/newer.ndjson"));
  t.true(await isThere("engine/logs/alice-cart/newer.ndjson"));
  t.deepEqual(await list("engine/logs/alice-gone"), []);
  t.deepEqual(await collect(), []);
});

test("a function that serves keeps its log though the engine has lost it, until it is removed", async (t) => {
  const { ledger, collect, write } = await setUp(t);
  goLive(ledger);
  await write("engine/logs/alice-cart/older.ndjson", HOUR_MS);

  const before = await collect();
  ledger.removeFunction("alice-cart");

  t.deepEqual(before, []);
  t.deepEqual(await collect(), ["engine/logs/alice-cart/older.ndjson"]);
});

test("the mirror of a repository of which nothing serves goes after a day without a build", async (t) => {
  const { ledger, collect, write, isThere } = await setUp(t);
  goLive(ledger);
  await write("git/mirrors/forge/10.git/HEAD", 48 * HOUR_MS);
  await write("git/mirrors/forge/11.git/HEAD", 48 * HOUR_MS);
  await write("git/mirrors/github/10.git/HEAD", HOUR_MS);

  const before = await collect();
  ledger.removeFunction("alice-cart");

  t.deepEqual(before, ["git/mirrors/forge/11.git"]);
  t.true(await isThere("git/mirrors/github/10.git"));
  t.deepEqual(await collect(), ["git/mirrors/forge/10.git"]);
});
