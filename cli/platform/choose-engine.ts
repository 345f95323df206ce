import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "#sdk/durable-file.ts";
import { errorCode } from "#sdk/errors.ts";

export type EngineKind = "process";

/**
 * The engine of this data folder: recorded at first start and never replaced by another, because what was
 * deployed lives in it.
 */
export async function chooseEngine(
  dataFolder: string,
  asked: "auto" | "process" | "docker",
): Promise<EngineKind> {
  if (asked === "docker") {
    throw new Error(
      "--engine docker is not there yet: this release runs functions on the process engine only. Use --engine auto.",
    );
  }
  const file = join(dataFolder, "engine", "kind");
  const recorded = await readFile(file, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (recorded === undefined) {
    await writeDurably(file, "process\n");
    return "process";
  }
  if (recorded.trim() !== "process") {
    throw new Error(
      `${dataFolder} was started with the ${recorded.trim()} engine, which this release does not have; use another --data.`,
    );
  }
  return "process";
}
