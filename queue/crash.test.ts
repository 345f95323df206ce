import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { findProgram, STANDARD_PATH } from "#sdk/find-program.ts";
import { silentLog } from "#sdk/log.ts";
import { startPrivateRedis } from "./backends/private-redis.ts";
import { listen } from "./test-queue.ts";

const redisServer = findProgram("redis-server", STANDARD_PATH);
const guard = findProgram("setpriv", STANDARD_PATH);
const onRedis = redisServer === undefined || guard === undefined ? test.skip : test;
const onEmbedded = guard === undefined ? test.skip : test;

onRedis(
  "a private Redis ends with a killed platform, and its calls run again (needs redis-server, setpriv)",
  async (t) => {
    const folder = await makeFolder(t);

    await outliveTwoKills(t, folder, "private-redis", { PATH: STANDARD_PATH }, "redis.pid");
  },
);

onEmbedded(
  "the embedded database ends with a killed platform, and its calls run again (needs setpriv)",
  async (t) => {
    const folder = await makeFolder(t);

    await outliveTwoKills(t, folder, "embedded", { PATH: "/nowhere" }, "postgres.pid");
  },
);

onRedis(
  "on a shared Redis a killed platform's calls run again when their locks expire (needs redis-server)",
  async (t) => {
    const folder = await makeFolder(t);
    const options = { program: redisServer ?? "", dataFolder: folder, runFolder: folder };
    const shared = await startPrivateRedis(options, silentLog);
    t.teardown(() => shared.close());

    await outliveTwoKills(t, folder, "redis", {
      REDIS_URL: `unix:${join(folder, "redis.sock")}`,
      queue_lock: "400ms",
      queue_stalled_check: "200ms",
    });
  },
);

/** Kill -9 a platform in the middle of a call, twice: the third one gets it done. */
async function outliveTwoKills(
  t: ExecutionContext,
  folder: string,
  kind: string,
  env: Readonly<Record<string, string>>,
  pidFile?: string,
): Promise<void> {
  const gateway = await listen(t, (_call, response, nth) => void (nth <= 2 || response.end()));

  for (let life = 1; life <= 3; life++) {
    const args = life === 1 ? ["precious"] : [];
    const platform = await startPlatform(t, [folder, gateway.url, ...args], env, kind);
    await until(() => gateway.calls.length === life);
    const server = pidFile === undefined ? "" : readFileSync(join(folder, pidFile), "utf8");
    platform.kill("SIGKILL");
    await until(() => server === "" || !isAlive(server));
  }

  t.deepEqual(
    gateway.calls.map(({ headers, body }) => [headers["x-call-id"], body]),
    Array.from({ length: 3 }, () => ["precious", "precious"]),
  );
}

async function makeFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "queue-crash-"));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

async function startPlatform(
  t: ExecutionContext,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  kind: string,
): Promise<ChildProcess> {
  const file = fileURLToPath(new URL("crash-platform/main.ts", import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });
  t.teardown(() => void child.kill("SIGKILL"));
  const [first] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  t.is(String(first).trim(), kind, log);
  return child;
}

/** A killed process that nobody has reaped yet has an empty command line. */
function isAlive(pid: string): boolean {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) && readFileSync(file, "utf8") !== "";
}

async function until(seen: () => boolean, deadlineMs = 30_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!seen()) {
    if (Date.now() > deadline) throw new Error(`Not seen within ${deadlineMs} ms`);
    await wait(5);
  }
}
