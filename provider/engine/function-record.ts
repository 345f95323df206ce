import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { syncFolder, writeDurably } from "#sdk/durable-file.ts";
import { errorCode } from "#sdk/errors.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import type { SwitchedBack } from "../provider.ts";

/** Ids of secrets' values, by the secrets' names. */
export type SecretIds = Readonly<Record<string, string>>;

/** The values that the secrets of a release had when it last served. */
export type RetiredSecrets = {
  readonly release: string;
  readonly ids: SecretIds;
  /** The secrets version that it was deployed with. */
  readonly brought?: string;
};

/** One version of a function, as it was asked for. */
export type Release = {
  readonly release: string;
  readonly fence: number;
  readonly deployment: FunctionDeployment;
  /** Why it did not become healthy; absent while it may. */
  readonly failed?: string;
  /** Set when a crash loop brought it back, not a deploy. */
  readonly switchedBack?: SwitchedBack;
  /** Why it has been in a crash loop since it was published, with nothing to go back to. */
  readonly crashLoop?: string;
  /** What it has instead of the secrets' values of now, as long as those are kept. */
  readonly earlierSecrets?: SecretIds;
};

/** All that survives a crash about one function. */
export type FunctionRecord = {
  readonly v: 1;
  readonly name: string;
  /** RFC 3339; of the first deploy. */
  readonly createdAt: string;
  /** Wanted number. */
  readonly replicas: number;
  /** Highest fence declared. */
  readonly fence: number;
  /** What serves. */
  readonly current?: Release;
  /** What was declared and has not been published. */
  readonly next?: Release;
  /** What served before `current`, kept to go back to. */
  readonly previous?: Release;
  /** Releases with secrets that served before, oldest first. */
  readonly retired?: readonly RetiredSecrets[];
};

export type RecordStore = {
  read(): Promise<FunctionRecord[]>;
  write(record: FunctionRecord): Promise<void>;
  remove(name: string): Promise<void>;
};

const secretIds = z.record(z.string(), z.string());
const release = z.object({
  release: z.string(),
  fence: z.number().int(),
  // Written by this process after it was parsed at the door.
  deployment: z.custom<FunctionDeployment>((value) => typeof value === "object" && value !== null),
  failed: z.string().exactOptional(),
  switchedBack: z
    .object({
      from: z.object({ release: z.string(), fence: z.number().int() }),
      reason: z.string(),
    })
    .exactOptional(),
  crashLoop: z.string().exactOptional(),
  earlierSecrets: secretIds.exactOptional(),
});
const retired = z.object({
  release: z.string(),
  ids: secretIds,
  brought: z.string().exactOptional(),
});
const record = z.object({
  v: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  replicas: z.number().int(),
  fence: z.number().int(),
  current: release.exactOptional(),
  next: release.exactOptional(),
  previous: release.exactOptional(),
  retired: z.array(retired).exactOptional(),
});

/** One JSON file per function in `folder`. */
export function createRecordStore(folder: string): RecordStore {
  return {
    async read() {
      const names = await readdir(folder);
      return Promise.all(names.filter((name) => name.endsWith(".json")).map(readOne));
    },
    write: (one) => writeDurably(join(folder, `${one.name}.json`), JSON.stringify(one)),
    async remove(name) {
      await rm(join(folder, `${name}.json`), { force: true });
      await syncFolder(folder);
    },
  };

  async function readOne(file: string): Promise<FunctionRecord> {
    try {
      return record.parse(JSON.parse(await readFile(join(folder, file), "utf8")));
    } catch (cause) {
      const why = errorCode(cause) ?? "not a function record of this version";
      throw new Error(`Function record ${join(folder, file)} cannot be read (${why}).`, { cause });
    }
  }
}
