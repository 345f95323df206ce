import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Where an engine keeps what outlives it. */
export type EngineFolder = {
  readonly path: string;
  readonly functions: string;
  readonly secrets: string;
  /** Values that secrets had before. By its name a backup reads it after what names values, and finds them. */
  readonly secretsEarlier: string;
  readonly logs: string;
};

/** Make `engine/` of a data folder, and remove what an interrupted platform has half written there. */
export async function openEngineFolder(dataFolder: string): Promise<EngineFolder> {
  const path = join(dataFolder, "engine");
  const folder = {
    path,
    functions: join(path, "functions"),
    secrets: join(path, "secrets"),
    secretsEarlier: join(path, "secrets-earlier"),
    logs: join(path, "logs"),
  };
  for (const one of Object.values(folder)) await mkdir(one, { recursive: true, mode: 0o700 });
  for (const one of [folder.functions, folder.secrets])
    await emptyFolder(one, (name) => name.endsWith(".tmp"));
  return folder;
}

export async function emptyFolder(
  folder: string,
  isOld: (name: string) => boolean = () => true,
): Promise<void> {
  for (const name of (await readdir(folder)).filter(isOld))
    await rm(join(folder, name), { recursive: true, force: true });
}
