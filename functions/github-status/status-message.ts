import { z } from "zod";
import type { Ledger } from "#ledger/types/ledger.ts";
import type { Owner } from "#ledger/types/owner.ts";
import type { Repository } from "#ledger/types/repository.ts";
import type { WantedStatus } from "#ledger/types/status.ts";
import { HttpError } from "#sdk/errors.ts";
import { toSlug } from "#sdk/names.ts";
import { STACK_CONTEXT } from "#sdk/stack-status.ts";
import { type StatusUrls, statusUrl } from "#sdk/status-urls.ts";

/** The wire form other senders of statuses use (spec/pipeline.md section 4, StatusMessage). */
const wire = z.object({
  "commit-statuses": z
    .record(
      z.string().min(1).max(255),
      z.object({
        status: z.enum(["success", "failure", "pending"]),
        description: z.string().max(10_000),
        context: z.string().min(1).max(255),
      }),
    )
    .refine((statuses) => Object.keys(statuses).length > 0, "names no status"),
  event: z.object({
    owner: z.string().min(1).max(100),
    repository: z.string().min(1).max(100),
    sha: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  }),
});

export type StatusMessage = z.infer<typeof wire>;

/** 400 that names the fields that do not fit. */
export function parseStatusMessage(body: unknown): StatusMessage {
  const parsed = wire.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new HttpError(400, "bad-body", `Not a status message: ${z.prettifyError(parsed.error)}`);
}

/** Want the message's statuses for its commit; 404 when the ledger does not know the repository. */
export function wantStatuses(
  ledger: Pick<Ledger, "findOwnerBySlug" | "listRepositories" | "wantStatus">,
  urls: StatusUrls,
  message: StatusMessage,
): { readonly repositoryId: string; readonly sha: string } {
  const { owner: login, repository: name, sha } = message.event;
  const owner = ledger.findOwnerBySlug(toSlug(login));
  const repository = ledger
    .listRepositories(owner?.id ?? "")
    .find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (owner === undefined || repository === undefined)
    throw new HttpError(
      404,
      "unknown-repository",
      `No push of ${login}/${name} was ever accepted.`,
    );

  for (const status of Object.values(message["commit-statuses"]))
    ledger.wantStatus(repository.id, sha, toWanted(status, owner, repository, sha, urls));
  return { repositoryId: repository.id, sha };
}

function toWanted(
  { status: state, description, context }: StatusMessage["commit-statuses"][string],
  owner: Owner,
  repository: Repository,
  sha: string,
  urls: StatusUrls,
): WantedStatus {
  const about = { state, owner, repository, sha };
  const targetUrl = statusUrl(
    urls,
    context === STACK_CONTEXT ? about : { ...about, functionName: context },
  );
  return { context, state, description, targetUrl };
}
