/** The value below which this share (0 to 1) of the samples is, by nearest rank. Throws without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort();
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new Error("Nothing was measured.");
  return value;
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}
