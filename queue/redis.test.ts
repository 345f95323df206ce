import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Redis } from "ioredis";
import { findProgram, STANDARD_PATH } from "#sdk/find-program.ts";
import { silentLog } from "#sdk/log.ts";
import { startPrivateRedis } from "./backends/private-redis.ts";
import { connectRedis } from "./backends/redis.ts";
import { type Store, testQueue } from "./queue.contract.ts";

const program = findProgram("redis-server", process.env.PATH ?? STANDARD_PATH);
if (program === undefined)
  test.skip("redis-server is not installed: the queue on Redis is not tested (apt-get install redis-server)", () => {});
else testQueue(() => startStore(program));

async function startStore(program: string): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), "queue-redis-"));
  const keeper = await startPrivateRedis(
    { program, dataFolder: folder, runFolder: folder },
    silentLog,
  );
  const socketPath = join(folder, "redis.sock");
  const admin = new Redis(socketPath);
  // It is killed on purpose.
  admin.on("error", () => {});
  return {
    open: () => connectRedis({ socketPath }, silentLog),
    async kill() {
      process.kill(keeper.pid() ?? 0, "SIGKILL");
    },
    empty: async () => void (await admin.flushall()),
    async close() {
      admin.disconnect();
      await keeper.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
