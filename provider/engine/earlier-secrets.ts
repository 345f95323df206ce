import { createHash } from "node:crypto";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import { secretsNotKept } from "../engine-errors.ts";
import type { FunctionRecord, Release, RetiredSecrets, SecretIds } from "./function-record.ts";
import type { SecretStore } from "./secret-store.ts";

type Values = Pick<SecretStore, "idOf" | "isKept">;

/** Most retired releases of a function that nobody has named versions of. */
const UNTOLD_MOST = 10;

/**
 * What a function's record remembers once `current` is replaced: the values that its secrets have now.
 * `kept` are the releases whose values are wanted; all of the newest until somebody says.
 */
export function retireSecrets(
  { current, retired = [] }: Pick<FunctionRecord, "current" | "retired">,
  values: Values,
  kept: ReadonlySet<string> | undefined,
): readonly RetiredSecrets[] {
  const others = retired
    .filter(({ release }) => release !== current?.release && (kept?.has(release) ?? true))
    .slice(-UNTOLD_MOST);
  const names = current?.deployment.secrets ?? [];
  if (current === undefined || names.length === 0) return others;
  const brought = current.deployment.labels?.[labels.secretsVersion];
  const { release } = current;
  const ids = identifySecrets(current, values);
  return [...others, { release, ids, ...(brought === undefined ? {} : { brought }) }];
}

/** The values that a release serves with; a secret that is gone has none. */
function identifySecrets({ deployment, earlierSecrets = {} }: Release, values: Values): SecretIds {
  const pairs = (deployment.secrets ?? []).map((name) => {
    const earlier = earlierSecrets[name];
    const id = earlier !== undefined && values.isKept(name, earlier) ? earlier : values.idOf(name);
    return id === undefined ? [] : [[name, id] as const];
  });
  return Object.fromEntries(pairs.flat());
}

/**
 * The secrets version of a retired release: what a deploy is labelled with to bring its values back. Throws
 * `secrets-not-kept`.
 */
export function readSecretsVersion(
  { name, retired = [] }: FunctionRecord,
  { release, secrets }: { readonly release: string; readonly secrets: readonly string[] },
  values: Values,
): string {
  const found = retired.find((one) => one.release === release);
  const missing = secrets.filter((secret) => !isThere(secret, found?.ids[secret], values));
  if (found === undefined || missing.length > 0) throw secretsNotKept(name, missing);
  return versionOf(found.ids);
}

/** Which secrets a deploy has earlier values of, by its label. Throws `secrets-not-kept`. */
export function findEarlierSecrets(
  record: FunctionRecord | undefined,
  { service, secrets = [], labels: given = {} }: FunctionDeployment,
  values: Values,
): SecretIds {
  const version = given[labels.secretsVersion];
  if (version === undefined || secrets.length === 0) return {};
  const ids = findVersion(record, version, values);
  const missing = secrets.filter((name) => !isThere(name, ids?.[name], values));
  if (ids === undefined || missing.length > 0) throw secretsNotKept(service, missing);
  const earlier = Object.entries(ids).filter(
    ([name, id]) => secrets.includes(name) && id !== values.idOf(name),
  );
  return Object.fromEntries(earlier);
}

/**
 * Values of that version. A release that was brought back with it may have come to others since, by an update:
 * whoever returns to that one, as a push that fails does, wants what it served with.
 */
function findVersion(
  record: FunctionRecord | undefined,
  version: string,
  values: Values,
): SecretIds | undefined {
  if (record === undefined) return undefined;
  const replaced = record.retired?.at(-1);
  if (replaced?.brought === version) return replaced.ids;
  const all = retireSecrets(record, values, undefined).toReversed();
  const found =
    all.find(({ ids }) => versionOf(ids) === version) ??
    all.find(({ brought }) => brought === version);
  return found?.ids;
}

function isThere(name: string, id: string | undefined, values: Values): boolean {
  return id !== undefined && (values.idOf(name) === id || values.isKept(name, id));
}

/** 32 hex digits; names and ids of values decide. */
function versionOf(ids: SecretIds): string {
  const pairs = Object.entries(ids).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 32);
}

/** Names of the secrets that a release serves with earlier values of. */
export function listEarlier({ earlierSecrets = {} }: Release, values: Values): string[] {
  return Object.entries(earlierSecrets)
    .filter(([name, id]) => values.isKept(name, id))
    .map(([name]) => name);
}

/** The same with the value of now of one secret. */
export function withoutEarlier(release: Release, name: string): Release {
  const { earlierSecrets, ...rest } = release;
  if (earlierSecrets?.[name] === undefined) return release;
  const { [name]: _, ...others } = earlierSecrets;
  return Object.keys(others).length === 0 ? rest : { ...rest, earlierSecrets: others };
}

/** The record with the value of now of one secret in all that may serve; `undefined` where it is so already. */
export function dropEarlier(record: FunctionRecord, name: string): FunctionRecord | undefined {
  const { current, next, previous } = record;
  const serving = { current, next, previous };
  const changed = Object.entries(serving).flatMap(([part, release]) => {
    const now = release && withoutEarlier(release, name);
    return now === release || now === undefined ? [] : [[part, now] as const];
  });
  return changed.length === 0 ? undefined : { ...record, ...Object.fromEntries(changed) };
}

/** Ids of all values that a record needs. */
export function listValueIds(
  { current, next, previous, retired = [] }: FunctionRecord,
  kept: ReadonlySet<string> | undefined,
): string[] {
  const serving = [current, next, previous].map((release) => release?.earlierSecrets ?? {});
  const wanted = retired.filter(({ release }) => kept?.has(release) ?? true);
  return [...serving, ...wanted.map(({ ids }) => ids)].flatMap((ids) => Object.values(ids));
}
