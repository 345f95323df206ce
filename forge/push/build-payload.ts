import type { Git } from "../git/git.ts";
import { NO_SHA } from "../git/read-refs.ts";
import type { Links } from "../links.ts";
import type { Deliveries, Delivery } from "../store/deliveries.ts";
import type { Repositories } from "../store/repositories.ts";
import { formatPush } from "./push-payload.ts";
import { type PushedCommits, readCommits } from "./read-commits.ts";

export type PayloadTools = {
  readonly git: Git;
  readonly folderOf: (repositoryId: number) => string;
  readonly repositories: Repositories;
  readonly deliveries: Deliveries;
  readonly links: Links;
};

/** GitHub does not deliver more than 25 MB; some room is left for the rest of the payload. */
const LIMIT_BYTES = 20 * 1024 * 1024;

/** Makes the body of a delivery from the repository as it was pushed. */
export function createPayloadBuilder(tools: PayloadTools): (delivery: Delivery) => Promise<string> {
  const { git, folderOf, repositories, deliveries, links } = tools;

  return async function buildPayload(delivery) {
    const repository = repositories.findById(delivery.repositoryId);
    if (repository === undefined) throw new Error(`Repository ${delivery.repositoryId} is gone.`);
    const folder = folderOf(repository.id);
    const pushed = await readCommits(git, folder, delivery, otherCommits(delivery));
    const payload = JSON.stringify(formatPush(repository, delivery, pushed, links));
    if (Buffer.byteLength(payload) <= LIMIT_BYTES) return payload;
    return JSON.stringify(formatPush(repository, delivery, withoutCommits(pushed), links));
  };

  /** Commits that other branches and tags had, which a new branch did not bring. */
  function otherCommits({ repositoryId, ref, before }: Delivery): string[] {
    if (before !== NO_SHA) return [];
    const announced = deliveries.listAnnounced(repositoryId);
    announced.delete(ref);
    return [...announced.values()];
  }
}

function withoutCommits(pushed: PushedCommits): PushedCommits {
  return { ...pushed, commits: [] };
}
