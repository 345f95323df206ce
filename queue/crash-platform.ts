import { createLog } from "#sdk/log.ts";
import { openQueue } from "./queue.ts";
import { readQueueSettings } from "./settings.ts";

// A platform for crash.test.ts to kill: `crash-platform.ts <data folder> <gateway url> <PATH>` opens the queue,
// queues one call if a fourth argument names it, runs calls, and prints its process id.
const [, , folder = "", gatewayUrl = "", path = "", callId] = process.argv;

const queue = await openQueue({
  dataFolder: folder,
  runFolder: folder,
  path,
  gatewayUrl,
  payloadKey: { id: "k1", secret: "a secret that only tests know" },
  settings: readQueueSettings({}).settings,
  log: createLog((line) => process.stderr.write(line)),
});
if (callId !== undefined)
  await queue.handler(
    new Request("http://queue/async-function/alice-cart", {
      method: "POST",
      headers: { "x-call-id": callId },
      body: "precious",
    }),
    createLog(() => {}),
  );
await queue.start();
process.stdout.write(`${queue.kind}\n`);
