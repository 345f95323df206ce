import type { Release } from "#ledger/types/release.ts";
import { labels } from "#sdk/labels.ts";

/** The release as it is deployed with the secrets' values of that version; of now when absent. */
export function withSecretsVersion(release: Release, version: string | undefined): Release {
  const { [labels.secretsVersion]: _, ...others } = release.deployment.labels ?? {};
  const given = version === undefined ? {} : { [labels.secretsVersion]: version };
  return { ...release, deployment: { ...release.deployment, labels: { ...others, ...given } } };
}

export function hasSecretsVersion({ deployment }: Release): boolean {
  return deployment.labels?.[labels.secretsVersion] !== undefined;
}
