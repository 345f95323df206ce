import { HttpError } from "#sdk/errors.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";

export type ScaleLimits = { readonly min: number; readonly max: number };

/** Limits of a deployment's labels under the engine's ceiling; throws `invalid` for what is no number. */
export function readScaleLimits(deployment: FunctionDeployment, ceiling: number): ScaleLimits {
  const min = readLabel(deployment, labels.scaleMin, ceiling) ?? 1;
  const max = readLabel(deployment, labels.scaleMax, undefined) ?? ceiling;
  if (min > max) {
    throw new HttpError(
      400,
      "invalid",
      `Labels ${labels.scaleMin} (${min}) and ${labels.scaleMax} (${max}) contradict each other.`,
    );
  }
  return { min, max: Math.min(max, ceiling) };
}

function readLabel(
  deployment: FunctionDeployment,
  label: string,
  limit: number | undefined,
): number | undefined {
  const text = deployment.labels?.[label];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value <= (limit ?? value)) return value;
  const range = limit === undefined ? "" : ` from 0 to ${limit}`;
  throw new HttpError(400, "invalid", `Label ${label} is "${text}"; expected a number${range}.`);
}

/** Replicas a scale call gets: zero is sleep, anything else is kept within the limits. */
export function decideScale(wanted: number, limits: ScaleLimits): number {
  return wanted === 0 ? 0 : Math.max(1, Math.min(Math.max(wanted, limits.min), limits.max));
}

/** Replicas a new version starts with: as many as are wanted now, at least one to be probed. */
export function decideFirstReplicas(now: number | undefined, limits: ScaleLimits): number {
  return decideScale(Math.max(1, now ?? limits.min), limits);
}

export type ReplicaView = { readonly id: string; readonly healthy: boolean };

/** What to start and stop so that `wanted` run; unhealthy and young replicas go first. */
export function decideReplicas(
  wanted: number,
  running: readonly ReplicaView[],
): { readonly start: number; readonly stop: readonly string[] } {
  const excess = Math.max(0, running.length - wanted);
  const victims = running
    .map((one, age) => ({ ...one, age }))
    .toSorted((a, b) => Number(a.healthy) - Number(b.healthy) || b.age - a.age)
    .slice(0, excess);
  return { start: Math.max(0, wanted - running.length), stop: victims.map(({ id }) => id) };
}

/** Wait before the next start after `failures` deaths in a row: doubles from `firstMs` to `mostMs`. */
export function decideRestartDelay(failures: number, firstMs: number, mostMs: number): number {
  return failures <= 0 ? 0 : Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
}
