import { createLog, silentLog } from "#sdk/log.ts";
import { openQueue } from "../queue.ts";
import { readQueueSettings } from "../settings.ts";

// A platform for crash.test.ts to kill: `main.ts <data folder> <gateway url> [call id]` opens the queue, queues
// a call when an id is given, runs calls, and prints the kind of its store.
const [, , folder = "", gatewayUrl = "", callId] = process.argv;

const queue = await openQueue({
  dataFolder: folder,
  runFolder: folder,
  redisUrl: process.env.REDIS_URL,
  path: process.env.PATH,
  gatewayUrl,
  payloadKey: { id: "k1", secret: "a secret that only tests know" },
  settings: readQueueSettings(process.env).settings,
  log: createLog((line) => process.stderr.write(line)),
});
if (callId !== undefined)
  await queue.handler(
    new Request("http://queue/async-function/alice-cart", {
      method: "POST",
      headers: { "x-call-id": callId },
      body: "precious",
    }),
    silentLog,
  );
await queue.start();
process.stdout.write(`${queue.kind}\n`);
