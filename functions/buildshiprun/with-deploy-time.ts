import type { Release } from "#ledger/types/release.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";

/** The deploy call of a release: what was recorded, which carries its identity, and when (Unix ms). */
export function withDeployTime({ deployment }: Release, now: number): FunctionDeployment {
  const seconds = String(Math.floor(now / 1_000));
  return { ...deployment, labels: { ...deployment.labels, [labels.gitDeployTime]: seconds } };
}
