import { HttpError } from "#sdk/errors.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";
import type { Settings } from "./settings.ts";

export type Limits = { readonly memoryBytes: number; readonly nanoCpus: number };

type Bounds = Pick<
  Settings,
  "memoryBytes" | "memoryLeastBytes" | "memoryMostBytes" | "cpuMilli" | "cpuMostMilli"
>;

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  // Docker's own short form, as in "128m".
  m: 2 ** 20,
  g: 2 ** 30,
};

/**
 * What a replica gets: its deployment's limits or the defaults, at least what a program needs to start and
 * never more cores than the machine has. Throws `invalid` for what is no quantity or above the ceiling.
 */
export function decideLimits(
  { limits = {} }: Pick<FunctionDeployment, "limits">,
  bounds: Bounds,
  cores: number,
): Limits {
  const memory = limits.memory ? parseMemory(limits.memory) : bounds.memoryBytes;
  const milli = limits.cpu ? parseCpu(limits.cpu) : bounds.cpuMilli;
  refuseAbove("memory", limits.memory, memory, bounds.memoryMostBytes, "bytes");
  refuseAbove("cpu", limits.cpu, milli, bounds.cpuMostMilli, "thousandths of a core");
  return {
    memoryBytes: Math.max(Math.round(memory), bounds.memoryLeastBytes),
    nanoCpus: Math.round(Math.max(10, Math.min(milli, cores * 1_000))) * 1e6,
  };
}

function parseMemory(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,15}(?:\.\d{1,9})?)(|[kMGmg]|[KMG]i)$/.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (bytes > 0) return bytes;
  throw invalid("memory", text, 'an amount such as "128Mi"');
}

function parseCpu(text: string): number {
  const [, digits = "", unit] = /^(\d{1,6}(?:\.\d{1,9})?)(m?)$/.exec(text) ?? [];
  const milli = Number(digits) * (unit === "m" ? 1 : 1_000);
  if (milli > 0) return milli;
  throw invalid("cpu", text, 'cores such as "500m" or "0.5"');
}

function refuseAbove(
  name: string,
  text: string | undefined,
  value: number,
  most: number,
  unit: string,
): void {
  if (value > most) throw invalid(name, text ?? String(value), `at most ${most} ${unit}`);
}

function invalid(name: string, text: string, expected: string): HttpError {
  return new HttpError(400, "invalid", `limits.${name} is "${text}"; expected ${expected}.`);
}
