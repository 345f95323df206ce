import { join } from "node:path";
import { writeDurably } from "#sdk/durable-file.ts";
import { readIfThere } from "#sdk/read-if-there.ts";

const ENGINES = ["process", "docker"] as const;
export type EngineKind = (typeof ENGINES)[number];

/**
 * The engine of this data folder: recorded at first start and never replaced by another, because what was
 * deployed lives in it. `checkDocker` rejects with what to do where Docker cannot be used.
 */
export async function chooseEngine(
  dataFolder: string,
  asked: "auto" | EngineKind,
  checkDocker: () => Promise<void>,
): Promise<EngineKind> {
  const file = join(dataFolder, "engine", "kind");
  const recorded = (await readIfThere(file))?.trim();
  if (recorded === undefined) {
    const kind = asked === "auto" ? "process" : asked;
    if (kind === "docker") await checkDocker();
    await writeDurably(file, `${kind}\n`);
    return kind;
  }
  const known = ENGINES.find((kind) => kind === recorded);
  if (known === undefined)
    throw startedWith(
      dataFolder,
      recorded,
      "which this release does not have; use the one that has it",
    );
  if (asked !== "auto" && asked !== known)
    throw startedWith(dataFolder, recorded, "and what was deployed lives in it; use --engine auto");
  return known;
}

function startedWith(dataFolder: string, recorded: string, why: string): Error {
  return new Error(
    `${dataFolder} was started with the ${recorded} engine, ${why}, or another --data.`,
  );
}
