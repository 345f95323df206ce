import { join } from "node:path";
import { writeDurably } from "#sdk/durable-file.ts";
import { ConfigError } from "#sdk/env.ts";
import { readIfThere } from "#sdk/read-if-there.ts";

const ENGINES = ["process", "docker"] as const;
export type EngineKind = (typeof ENGINES)[number];

type ChosenEngine = {
  readonly kind: EngineKind;
  /** Why it is not the better one, when that was looked for. */
  readonly whyNotDocker?: string;
};

/**
 * The engine of this data folder: recorded at first start and never replaced by another, because what was
 * deployed lives in it. `checkDocker` rejects with what to do where Docker cannot be used; `auto` takes Docker
 * where it resolves.
 */
export async function chooseEngine(
  dataFolder: string,
  asked: "auto" | EngineKind,
  checkDocker: () => Promise<void>,
): Promise<ChosenEngine> {
  const file = join(dataFolder, "engine", "kind");
  const recorded = (await readIfThere(file))?.trim();
  if (recorded === undefined) {
    const chosen = await chooseFirst(asked, checkDocker);
    await writeDurably(file, `${chosen.kind}\n`);
    return chosen;
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
  return { kind: known };
}

async function chooseFirst(
  asked: "auto" | EngineKind,
  checkDocker: () => Promise<void>,
): Promise<ChosenEngine> {
  if (asked === "process") return { kind: "process" };
  try {
    await checkDocker();
    return { kind: "docker" };
  } catch (error) {
    // What an operator has mistyped must not decide which engine it is for ever.
    if (asked === "docker" || error instanceof ConfigError || !(error instanceof Error))
      throw error;
    return { kind: "process", whyNotDocker: error.message };
  }
}

function startedWith(dataFolder: string, recorded: string, why: string): Error {
  return new Error(
    `${dataFolder} was started with the ${recorded} engine, ${why}, or another --data.`,
  );
}
