import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { until } from "../../test/helpers/until.ts";
import { createRunLimiter, findObstacle } from "./limit-runs.ts";

const MEMORY = "/sys/fs/cgroup/memory";
const MIB = 1024 ** 2;
const missing =
  process.getuid?.() === 0 && existsSync(`${MEMORY}/memory.limit_in_bytes`)
    ? undefined
    : "groups of version 1 are changed by root only";
const groupTest = missing === undefined ? test : test.skip;
if (missing !== undefined) test.skip(`late limits of a RUN are not tested: ${missing}`, () => {});

groupTest(
  "a RUN that has more memory than its limit already when it is seen is killed",
  async (t) => {
    const { folder, limiter } = await setUp(t, 32);
    const run = join(folder, "run");
    await mkdir(run);
    const hog = spawn(process.execPath, [
      ...[
        "-e",
        "process.stdin.once('data', () => { Buffer.alloc(150 << 20, 1); console.log('full'); setInterval(() => {}, 1000); })",
      ],
    ]);
    const ended = once(hog, "exit");
    await writeFile(join(run, "cgroup.procs"), String(hog.pid));
    hog.stdin.write("go");
    await once(hog.stdout, "data");

    await until(async () => {
      await limiter.look();
      return hog.signalCode !== null;
    }, 60_000);

    await ended;
    t.is(hog.signalCode, "SIGKILL");
    await until(
      () =>
        rmdir(run).then(
          () => true,
          () => false,
        ),
      60_000,
    );
  },
);

groupTest(
  "all builds together have no more than theirs, and each RUN no more than its own",
  async (t) => {
    const { folder, limiter } = await setUp(t, 32);

    await limiter.prepare();
    await mkdir(join(folder, "run"));
    await limiter.look();
    await limiter.look();

    const limitOf = (path: string) => readFile(join(path, "memory.limit_in_bytes"), "utf8");
    t.is(Number(await limitOf(folder)), 64 * MIB);
    t.is(Number(await limitOf(join(folder, "run"))), 32 * MIB);
    await rmdir(join(folder, "run"));
    await t.notThrowsAsync(limiter.look());
  },
);

test("where no limits can be set the reason is found", async (t) => {
  const group = { folder: "", isRun: () => true, file: "", limit: 1, isOwn: true };

  t.regex(
    (await findObstacle([{ ...group, root: "/none" }])) ?? "",
    /^ENOENT: .*\/none\/cgroup\.procs/,
  );
  t.is(await findObstacle([]), undefined);
});

/** Groups as BuildKit's, in a folder of their own, for two builds at once. */
async function setUp(t: ExecutionContext, limitMib: number) {
  const folder = await mkdtemp(join(MEMORY, "ofc-test-"));
  t.teardown(() => rmdir(folder));
  const group = {
    root: MEMORY,
    folder,
    isRun: () => true,
    file: "memory.limit_in_bytes",
    limit: limitMib * MIB,
  };
  return { folder, limiter: createRunLimiter([{ ...group, isOwn: true }], 2) };
}
