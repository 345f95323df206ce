import { notFound, notRecorded } from "../engine-errors.ts";
import {
  dropEarlier,
  findEarlierSecrets,
  listValueIds,
  readSecretsVersion,
  retireSecrets,
} from "./earlier-secrets.ts";
import type { FunctionRecord, RecordStore, Release } from "./function-record.ts";
import type { SecretStore } from "./secret-store.ts";

export type HeldRecordTools = {
  readonly records: Pick<RecordStore, "write" | "remove">;
  readonly secrets: Pick<SecretStore, "idOf" | "isKept">;
};

/** What is on the disk about one function, and which values of its secrets that needs. Changes take turns. */
export type HeldRecord = {
  /** `undefined` while nothing is deployed under the name. */
  read(): FunctionRecord | undefined;
  /** Throws `not-found`. */
  mustExist(): FunctionRecord;
  /** Throws `not-recorded`, and nothing has changed then. */
  write(changed: FunctionRecord): Promise<void>;
  remove(): Promise<void>;
  /** Releases whose secrets' values are kept once they are retired; those of the newest until it is said. */
  keepSecretsOf(releases: ReadonlySet<string>): void;
  /** With the earlier values that its label asks for. Throws `secrets-not-kept`. */
  withSecrets(release: Release): Release;
  /** What `retired` is once something else than `current` serves. */
  retireCurrent(): Pick<FunctionRecord, "retired">;
  /** What the label of that release's values is. Throws `secrets-not-kept`. */
  secretsVersion(release: string, secrets: readonly string[]): string;
  /** The same with a secret's value of now; `undefined` when it is so. */
  withoutEarlier(secret: string): FunctionRecord | undefined;
  /** Ids of the values that it needs, or is about to. */
  valueIds(): readonly string[];
};

export function createHeldRecord(
  name: string,
  { records, secrets }: HeldRecordTools,
  recorded: FunctionRecord | undefined,
): HeldRecord {
  let record = recorded;
  /** On its way to the disk. */
  let writing: FunctionRecord | undefined;
  let kept: ReadonlySet<string> | undefined;

  return {
    read: () => record,
    mustExist,
    async write(changed) {
      writing = changed;
      try {
        await records.write(changed);
        record = changed;
      } catch (error) {
        throw notRecorded(name, error);
      } finally {
        writing = undefined;
      }
    },
    async remove() {
      await records.remove(name);
      record = undefined;
    },
    keepSecretsOf(releases) {
      kept = releases;
    },
    withSecrets({ earlierSecrets: _, ...release }) {
      const earlierSecrets = findEarlierSecrets(record, release.deployment, secrets);
      return Object.keys(earlierSecrets).length === 0 ? release : { ...release, earlierSecrets };
    },
    retireCurrent() {
      const retired = retireSecrets(mustExist(), secrets, kept);
      return retired.length === 0 ? {} : { retired };
    },
    secretsVersion: (release, names) =>
      readSecretsVersion(mustExist(), { release, secrets: names }, secrets),
    withoutEarlier: (secret) => record && dropEarlier(record, secret),
    valueIds: () =>
      [record, writing].flatMap((one) => (one === undefined ? [] : listValueIds(one, kept))),
  };

  function mustExist(): FunctionRecord {
    if (record !== undefined) return record;
    throw notFound(name);
  }
}
