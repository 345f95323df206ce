import { type Env, readEnv } from "#sdk/env.ts";
import { formatBytes } from "#sdk/format-bytes.ts";

const MIB = 1_024 ** 2;

export type DiskSettings = {
  /** What the data folder may take. */
  readonly ceilingBytes: number;
  /** What is kept free on its disk, for the ledger and the queue. */
  readonly reserveBytes: number;
};

export function readDiskSettings(env: Env): DiskSettings {
  const read = readEnv(env);
  return read.done({
    ceilingBytes: read.integer("disk_ceiling_mib", 51_200, { min: 1, max: 1_000_000_000 }) * MIB,
    reserveBytes: read.integer("disk_reserve_mib", 512, { min: 0, max: 1_000_000_000 }) * MIB,
  });
}

export type DiskUse = {
  /** By the data folder. */
  readonly usedBytes: number;
  /** On its disk, for this user. */
  readonly freeBytes: number;
};

/** Bytes to give back, 0 when all is well. */
export function decideExcess({ usedBytes, freeBytes }: DiskUse, settings: DiskSettings): number {
  return Math.max(0, usedBytes - settings.ceilingBytes, settings.reserveBytes - freeBytes);
}

/** Why nothing more can be stored for owners, or `undefined`. */
function refuseMore(use: DiskUse, settings: DiskSettings): string | undefined {
  if (decideExcess(use, settings) === 0) return undefined;
  const next = (change: string) =>
    `remove functions, or ask the operator to ${change} it or to give the disk more room`;
  if (use.freeBytes < settings.reserveBytes)
    return `The platform's disk has ${formatBytes(use.freeBytes)} free, less than the ${formatBytes(settings.reserveBytes)} of disk_reserve_mib; ${next("lower")}`;
  return `The platform's data takes ${formatBytes(use.usedBytes)}, more than the ${formatBytes(settings.ceilingBytes)} of disk_ceiling_mib; ${next("raise")}`;
}

/** Whether owners may store more, as of the last look at the disk. */
export type DiskGate = {
  readonly settings: DiskSettings;
  look(use: DiskUse): void;
  refusal(): string | undefined;
};

export function createDiskGate(settings: DiskSettings): DiskGate {
  let reason: string | undefined;
  return {
    settings,
    look(use) {
      reason = refuseMore(use, settings);
    },
    refusal: () => reason,
  };
}
