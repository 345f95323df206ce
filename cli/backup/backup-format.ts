import { z } from "zod";

/** First entry of a backup: whether it can be read at all. */
export const HEADER_NAME = "backup.json";
/** Last entry: everything in between, to compare with. */
export const MANIFEST_NAME = "manifest.json";
/** Path of what comes from the data folder. */
export const DATA_PREFIX = "data/";
/** Version of the archive's own layout. */
export const BACKUP_VERSION = 1;

const header = z.object({
  v: z.number().int(),
  /** Of the data folder. */
  format: z.number().int(),
  release: z.string(),
  engine: z.string(),
  /** RFC 3339. */
  createdAt: z.string(),
});
export type BackupHeader = z.infer<typeof header>;

const path = z.string().min(1).max(4_096);
const entry = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("folder"), path }),
  z.object({ kind: z.literal("link"), path, target: path }),
  z.object({
    kind: z.literal("file"),
    path,
    sizeBytes: z.number().int().nonnegative(),
    /** Hex. */
    sha256: z.string().length(64),
  }),
]);
/** One path below the data folder. */
export type BackupEntry = z.infer<typeof entry>;

const manifest = z.object({ v: z.literal(BACKUP_VERSION), entries: z.array(entry) });

/** Refuses what a newer release wrote. */
export function parseHeader(bytes: Buffer, newestFormat: number): BackupHeader {
  const parsed = header.safeParse(parseJson(bytes, HEADER_NAME));
  if (!parsed.success) throw notABackup(`${HEADER_NAME}: ${z.prettifyError(parsed.error)}`);
  const { v, format, release } = parsed.data;
  if (v > BACKUP_VERSION || format > newestFormat)
    throw new Error(
      `The backup is of release ${release} (layout ${v}, data format ${format}); this one reads up to layout ${BACKUP_VERSION} and format ${newestFormat}. Restore it with that release or a newer one.`,
    );
  return parsed.data;
}

export function parseManifest(bytes: Buffer): readonly BackupEntry[] {
  const parsed = manifest.safeParse(parseJson(bytes, MANIFEST_NAME));
  if (!parsed.success) throw notABackup(`${MANIFEST_NAME}: ${z.prettifyError(parsed.error)}`);
  return parsed.data.entries;
}

export function notABackup(why: string, cause?: unknown): Error {
  return new Error(`This is no whole backup: ${why}. Nothing was restored.`, { cause });
}

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw notABackup(`${name} is not JSON`, error);
  }
}
