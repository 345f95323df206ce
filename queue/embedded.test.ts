import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "#sdk/log.ts";
import { startEmbedded } from "./backends/embedded.ts";
import { type Store, testQueue } from "./queue.contract.ts";
import { LANE_NAMES } from "./stored-call.ts";

testQueue(startStore);

async function startStore(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), "queue-embedded-"));
  const server = await startEmbedded({ dataFolder: folder, runFolder: folder }, silentLog);
  return {
    open: async () => ({ ...server, close: async () => {} }),
    async kill() {
      process.kill(server.pid() ?? 0, "SIGKILL");
    },
    async empty() {
      for (const name of LANE_NAMES) {
        const queue = server.openQueue(name);
        await queue.obliterate({ force: true });
        await queue.close();
      }
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
