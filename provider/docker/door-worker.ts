import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { describe } from "#sdk/errors.ts";
import { openDoor } from "./gateway-door.ts";

/** The door on a thread of its own: what functions send one another does not wait for the pipeline. */
const options = z.object({ host: z.string(), port: z.number(), gatewayUrl: z.string() });

try {
  await openDoor(options.parse(workerData));
  parentPort?.postMessage("");
} catch (error) {
  parentPort?.postMessage(describe(error));
}
