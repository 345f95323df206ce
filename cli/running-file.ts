import { join } from "node:path";

/** The file below a data folder in which a running platform says where it is, so that commands find it. */
export function runningFile(dataFolder: string): string {
  return join(dataFolder, "run", "running.json");
}
