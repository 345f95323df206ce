import type { AcceptPush } from "#ledger/types/delivery.ts";
import type { Scm } from "#ledger/types/owner.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { toSlug } from "#sdk/names.ts";
import type { PushEvent } from "#sdk/push-event.ts";
import { stackStatus } from "#sdk/stack-status.ts";
import { type StatusUrls, statusUrl } from "#sdk/status-urls.ts";

/** What the ledger needs to accept a commit, however it was noticed. */
export type AcceptCommit = Omit<AcceptPush, "deliveryKey" | "event">;

/** A push in the ledger's terms; ids carry the source, so two sources never share an owner. */
export function toAcceptPush(
  scm: Scm,
  push: PushEvent,
  branch: string,
  urls: StatusUrls,
): AcceptCommit {
  const ownerId = `${scm}:${push.owner.id}`;
  const repository: Repository = {
    ...push.repository,
    id: `${scm}:${push.repository.id}`,
    ownerId,
    installationId: push.installationId,
  };
  const owner = { id: ownerId, scm, login: push.owner.login };
  return acceptCommit(owner, repository, branch, push.sha, urls);
}

/** The commit together with the pending status it shows first. */
export function acceptCommit(
  owner: AcceptPush["owner"],
  repository: Repository,
  branch: string,
  sha: string,
  urls: StatusUrls,
): AcceptCommit {
  const slug = toSlug(owner.login);
  const targetUrl = statusUrl(urls, {
    state: "pending",
    owner: { login: owner.login, slug },
    repository,
    sha,
  });
  const description = `${slug}-${repository.name} stack deploy is in progress`;
  return {
    owner,
    repository,
    branch,
    sha,
    status: stackStatus("pending", description, targetUrl),
  };
}
