import type { Release } from "#ledger/types.ts";
import { labels } from "#sdk/labels.ts";
import type { FunctionDeployment } from "#sdk/messages.ts";

/** The deploy call of a release: what was recorded, with its identity as labels. */
export function withRelease(release: Release, now: number): FunctionDeployment {
  return {
    ...release.deployment,
    labels: {
      ...release.deployment.labels,
      [labels.release]: release.id,
      [labels.fence]: String(release.fence),
      [labels.gitDeployTime]: String(Math.floor(now / 1_000)),
    },
  };
}
