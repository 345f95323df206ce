import { parseDuration } from "#sdk/duration.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";

/** Above it an owner could pile up old versions for days. */
const MOST_MS = 3_600_000;

/** Time to finish requests: the deployment's `write_timeout` and a second, at most an hour, or the engine's default. */
export function readDrain(
  { envVars }: Pick<FunctionDeployment, "envVars">,
  fallbackMs: number,
): number {
  const writeTimeoutMs = parseDuration(envVars?.write_timeout ?? "");
  return writeTimeoutMs === undefined ? fallbackMs : Math.min(MOST_MS, writeTimeoutMs + 1_000);
}
