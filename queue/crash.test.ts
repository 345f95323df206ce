import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { findProgram, STANDARD_PATH } from "./supervise.ts";
import { listen } from "./test-queue.ts";

const stores = [
  { kind: "private-redis", path: STANDARD_PATH, pidFile: "redis.pid", program: "redis-server" },
  { kind: "embedded", path: "/nowhere", pidFile: "postgres.pid", program: "setpriv" },
] as const;

for (const { kind, path, pidFile, program } of stores) {
  const crash = findProgram(program, STANDARD_PATH) === undefined ? test.skip : test;
  crash(
    `${kind}: a call outlives two kill -9 of the platform that runs it (needs ${program})`,
    async (t) => {
      const folder = await mkdtemp(join(tmpdir(), "queue-crash-"));
      t.teardown(() => rm(folder, { recursive: true, force: true }));
      const gateway = await listen(t, (_call, response, nth) => void (nth <= 2 || response.end()));

      for (let life = 1; life <= 3; life++) {
        const args = life === 1 ? ["precious"] : [];
        const platform = await startPlatform(t, [folder, gateway.url, path, ...args], kind);
        await until(() => gateway.calls.length === life);
        const server = Number(await readFile(join(folder, pidFile), "utf8"));
        platform.kill("SIGKILL");
        await until(() => !isAlive(server));
      }

      t.deepEqual(
        gateway.calls.map(({ headers, body }) => [headers["x-call-id"], body]),
        Array.from({ length: 3 }, () => ["precious", "precious"]),
      );
    },
  );
}

async function startPlatform(
  t: ExecutionContext,
  args: readonly string[],
  kind: string,
): Promise<ChildProcess> {
  const file = fileURLToPath(new URL("crash-platform.ts", import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => (log += chunk));
  t.teardown(() => void child.kill("SIGKILL"));
  const [first] = await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  t.is(String(first).trim(), kind, log);
  return child;
}

/** A killed process that nobody has reaped yet has an empty command line. */
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) && readFileSync(file, "utf8") !== "";
}

async function until(seen: () => boolean, deadlineMs = 20_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!seen()) {
    if (Date.now() > deadline) throw new Error(`Not seen within ${deadlineMs} ms`);
    await wait(5);
  }
}
