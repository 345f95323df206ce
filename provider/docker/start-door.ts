import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { DoorOptions } from "./gateway-door.ts";

export type Door = { close(): Promise<void> };

/** Open the door; throws why it cannot be. */
export async function startDoor(options: DoorOptions): Promise<Door> {
  const worker = new Worker(new URL("door-worker.ts", import.meta.url), { workerData: options });
  const [problem] = await once(worker, "message");
  // The platform ends without waiting for it.
  worker.unref();
  if (problem === "")
    return {
      async close() {
        await worker.terminate();
      },
    };
  await worker.terminate();
  throw new Error(String(problem));
}
