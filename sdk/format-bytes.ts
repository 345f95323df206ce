const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** `512` is `512 bytes`, `1536` is `1.5 KiB`, `2147483648` is `2 GiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${Number((bytes / 1_024 ** power).toFixed(1))} ${UNITS[power]}`;
}
