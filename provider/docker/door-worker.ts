import { parentPort, workerData } from "node:worker_threads";
import { describe } from "#sdk/errors.ts";
import { type DoorOptions, openDoor } from "./gateway-door.ts";

/** The door on a thread of its own: what functions send one another does not wait for the pipeline. */
// Of start-door.ts alone; a parser would double what this thread takes.
const options: DoorOptions = workerData;

try {
  await openDoor(options);
  parentPort?.postMessage("");
} catch (error) {
  parentPort?.postMessage(describe(error));
}
