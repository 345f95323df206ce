import type { Artifact } from "#ledger/types/artifact.ts";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Ranks } from "./decide-garbage.ts";
import { listEverServed, newestOfCommits } from "./list-versions.ts";

/** How much each of an owner's artefacts is needed now, by what serves, runs, is planned or was released. */
export function rankArtifacts(
  ledger: Pick<Ledger, "listOpen" | "listServing" | "listReleases">,
  ownerId: string,
  owned: readonly Artifact[],
  running: ReadonlySet<string>,
): Ranks {
  const ranks = new Map<string, number>();
  const note = (digest: string, value: number) =>
    ranks.set(digest, Math.min(value, ranks.get(digest) ?? value));
  const open = ledger.listOpen().filter((build) => build.ownerId === ownerId);
  const planned = new Set(open.flatMap(({ plan }) => plan?.functions ?? []).map(({ key }) => key));
  for (const { key, digest } of owned) if (planned.has(key) || running.has(digest)) note(digest, 0);
  for (const { service, digest: current } of ledger.listServing({ ownerId })) {
    note(current, 0);
    const versions = newestOfCommits(listEverServed(ledger, service));
    for (const [index, { digest }] of versions.entries()) note(digest, index + 1);
  }
  return ranks;
}

/** Digests of images that end in `@sha256:<hex>`. */
export function digestsOf(images: readonly string[]): ReadonlySet<string> {
  return new Set(images.flatMap((image) => /@(sha256:[0-9a-f]{64})$/.exec(image)?.[1] ?? []));
}
