import type Docker from "dockerode";
import type { ImageInfo } from "dockerode";
import { z } from "zod";
import { ignoreStatus } from "./ignore-status.ts";
import { isBelow } from "./image-rules.ts";

const MINIMUM_AGE_MS = 30 * 60_000;
const NOT_THERE = 404;
const IN_USE = 409;

/**
 * Take the platform's names from images that are not in `keep` (by id, or by the digest they were pushed
 * under) and were named longer than `minimumAgeMs` ago; Docker removes what then has no name. What a container
 * uses stays. Resolves with the ids of the images that lost all names.
 */
export async function sweepImages(
  docker: Docker,
  prefixes: readonly string[],
  keep: ReadonlySet<string>,
  minimumAgeMs = MINIMUM_AGE_MS,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const image of await docker.listImages()) {
    const names = image.RepoTags ?? [];
    const ours = names.filter((name) => prefixes.some((prefix) => isBelow(name, prefix)));
    if (ours.length === 0 || isKept(image, keep)) continue;
    if ((await readAgeMs(docker, image.Id)) < minimumAgeMs) continue;
    let left = names.length;
    for (const name of ours) if (await untag(docker, name)) left--;
    if (left === 0) removed.push(image.Id);
  }
  return removed;
}

function isKept({ Id, RepoDigests }: ImageInfo, keep: ReadonlySet<string>): boolean {
  return keep.has(Id) || (RepoDigests ?? []).some((one) => keep.has(one.replace(/^.*@/, "")));
}

/** `Metadata.LastTagTime` of Docker's answer; zero means never. */
const Named = z.object({ Metadata: z.object({ LastTagTime: z.coerce.date() }) });

/** Since it was named: a build whose steps were all cached gives an image that was made long ago. */
async function readAgeMs(docker: Docker, id: string): Promise<number> {
  const found = Named.safeParse(await docker.getImage(id).inspect().catch(ignoreStatus(NOT_THERE)));
  // One that is gone, or says nothing, is left alone.
  return found.success ? Date.now() - found.data.Metadata.LastTagTime.getTime() : 0;
}

async function untag(docker: Docker, name: string): Promise<boolean> {
  const gone = await docker.getImage(name).remove().catch(ignoreStatus(NOT_THERE, IN_USE));
  return gone !== undefined;
}
