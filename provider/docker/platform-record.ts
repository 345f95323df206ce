import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { writeDurably } from "#sdk/durable-file.ts";
import { readIfThere } from "#sdk/read-if-there.ts";

/** What tells this data folder's containers and network from others' on the same dockerd. */
type PlatformRecord = z.infer<typeof record>;

const record = z.object({
  v: z.literal(1),
  /** 8 hex digits. */
  platform: z.string().regex(/^[0-9a-f]{8}$/),
  /** Addresses of functions, once they are chosen. */
  subnet: z.string().exactOptional(),
});

export type PlatformRecordStore = {
  /** The record, made at first use. */
  read(): Promise<PlatformRecord>;
  write(changed: PlatformRecord): Promise<void>;
};

/** `platform.json` in the folder that is this engine's alone. */
export function createPlatformRecordStore(folder: string): PlatformRecordStore {
  const path = join(folder, "platform.json");
  const write = (changed: PlatformRecord) => writeDurably(path, JSON.stringify(changed));

  return {
    write,
    async read() {
      const text = await readIfThere(path);
      if (text !== undefined) return parseRecord(path, text);
      const made: PlatformRecord = { v: 1, platform: randomBytes(4).toString("hex") };
      await write(made);
      return made;
    },
  };
}

function parseRecord(path: string, text: string): PlatformRecord {
  try {
    return record.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(
      `${path} cannot be read; without it the containers of this data folder are not known.`,
      { cause },
    );
  }
}
