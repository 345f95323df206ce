import { type Env, readEnv } from "#sdk/env.ts";
import { formatBytes } from "#sdk/format-bytes.ts";

/** How much of the machine one owner may hold. */
export type OwnerQuotas = {
  /** Functions of all the owner's repositories together. */
  readonly functions: number;
  /** Bytes of artefacts, earlier releases' included. */
  readonly artifactBytes: number;
};

const MIB = 1_024 ** 2;

export function readOwnerQuotas(env: Env): OwnerQuotas {
  const read = readEnv(env);
  return read.done({
    functions: read.integer("owner_functions", 100, { min: 1, max: 100_000 }),
    artifactBytes: read.integer("owner_artifacts_mib", 2_048, { min: 1, max: 100_000_000 }) * MIB,
  });
}

/** Why a stack may not be deployed beside the owner's other repositories, or `undefined`. */
export function refuseFunctions(
  login: string,
  planned: number,
  elsewhere: number,
  { functions: limit }: OwnerQuotas,
): string | undefined {
  if (planned + elsewhere <= limit) return undefined;
  return `functions: ${planned} here and ${elsewhere} in ${login}'s other repositories; an owner may have ${limit} (owner_functions)`;
}

/** Why nothing more may be built for the owner, or `undefined`. */
export function refuseArtifacts(
  login: string,
  usedBytes: number,
  { artifactBytes: limit }: OwnerQuotas,
): string | undefined {
  if (usedBytes < limit) return undefined;
  return `${login}'s artefacts take ${formatBytes(usedBytes)}; an owner may have ${formatBytes(limit)} (owner_artifacts_mib). Remove functions or packages`;
}
