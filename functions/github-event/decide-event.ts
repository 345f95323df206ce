import { z } from "zod";
import type { Scm } from "#ledger/types/owner.ts";
import type { GarbageRequest } from "#sdk/messages.ts";
import { type PushEvent, parseJson, parsePushEvent, unreadable } from "#sdk/push-event.ts";

/** Whom and what an event is about, for the record. */
type About = {
  readonly ownerLogin?: string;
  readonly repository?: string;
  readonly ref?: string;
  readonly sha?: string;
};

/** What to do with a verified event. */
export type EventDecision = {
  readonly reason: string;
  readonly about: About;
} & (
  | { readonly kind: "push"; readonly push: PushEvent }
  /** An account or its repositories came: worth noting for customers. */
  | { readonly kind: "welcome" }
  | { readonly kind: "clean"; readonly requests: readonly GarbageRequest[] }
  | { readonly kind: "ignore" }
);

const account = z.object({ id: z.number().int().positive(), login: z.string().max(100) });
const repository = z.object({
  id: z.number().int().positive(),
  name: z.string().max(100),
  full_name: z.string().max(201),
});
const action = z.string().max(100);
const installationEvent = z.object({
  action,
  installation: z.object({ account }),
  repositories: z.array(repository).default([]),
  repositories_added: z.array(repository).default([]),
  repositories_removed: z.array(repository).default([]),
});
const repositoryEvent = z.object({
  action,
  repository: repository.extend({ owner: account }),
  changes: z
    .object({
      owner: z
        .object({ from: z.object({ user: account.nullish(), organization: account.nullish() }) })
        .optional(),
    })
    .optional(),
});
const anyEvent = z.object({
  action: action.optional().catch(undefined),
  repository: repository.extend({ owner: account }).optional().catch(undefined),
});

/** Decide by the event's name; 400 when the body is not such an event. `now` is Unix milliseconds. */
export function decideEvent(
  scm: Scm,
  event: string,
  body: Uint8Array | string,
  now: number,
): EventDecision {
  switch (event) {
    case "push":
      return decidePush(parsePushEvent(body));
    case "installation":
    case "installation_repositories":
    case "integration_installation":
    case "integration_installation_repositories":
      return decideInstallation(scm, event, parseJson(body), now);
    case "repository":
      return decideRepository(scm, parseJson(body), now);
    default:
      return ignore(event, parseJson(body));
  }
}

function decidePush(push: PushEvent): EventDecision {
  return {
    kind: "push",
    push,
    reason: "",
    about: {
      ownerLogin: push.owner.login,
      repository: push.repository.fullName,
      ref: push.ref,
      sha: push.sha,
    },
  };
}

function decideInstallation(scm: Scm, event: string, body: unknown, now: number): EventDecision {
  const parsed = installationEvent.safeParse(body);
  if (!parsed.success) throw unreadable(event, parsed.error);
  const { installation, repositories, repositories_added, repositories_removed } = parsed.data;
  const owner = installation.account;
  const about = { ownerLogin: owner.login };

  switch (parsed.data.action) {
    case "created":
    case "added": {
      const added = [...repositories_added, ...repositories].map(({ full_name }) => full_name);
      return {
        kind: "welcome",
        about,
        reason: `${owner.login} added repositories: ${added.join(", ")}`,
      };
    }
    case "removed":
      return clean(
        about,
        repositories_removed.map((gone) => garbage(scm, owner, gone, now)),
      );
    case "deleted":
      return clean(about, [garbage(scm, owner, undefined, now)]);
    default:
      return ignore(event, body);
  }
}

/** A repository that is deleted, or moves to another owner, leaves its functions behind. */
function decideRepository(scm: Scm, body: unknown, now: number): EventDecision {
  const parsed = repositoryEvent.safeParse(body);
  if (!parsed.success) throw unreadable("repository", parsed.error);
  const { repository, changes } = parsed.data;
  const about = { ownerLogin: repository.owner.login, repository: repository.full_name };
  const from = changes?.owner?.from.user ?? changes?.owner?.from.organization;

  if (parsed.data.action === "deleted")
    return clean(about, [garbage(scm, repository.owner, repository, now)]);
  if (parsed.data.action === "transferred" && from)
    return clean(about, [garbage(scm, from, repository, now)]);
  return ignore("repository", body);
}

function ignore(event: string, body: unknown): EventDecision {
  const parsed = anyEvent.safeParse(body);
  if (!parsed.success) throw unreadable(event, parsed.error);
  const { action, repository } = parsed.data;
  const name = action === undefined ? event : `${event} (${action})`;
  return {
    kind: "ignore",
    about:
      repository === undefined
        ? {}
        : { ownerLogin: repository.owner.login, repository: repository.full_name },
    reason:
      event === "ping"
        ? "ping received: the webhook is set up"
        : `${name} deliveries build nothing; only pushes do`,
  };
}

function clean(about: About, requests: readonly GarbageRequest[]): EventDecision {
  const names = requests.map(({ owner, repo }) => `${owner}/${repo}`).join(", ");
  return { kind: "clean", about, requests, reason: `clean-up queued for ${names || "nothing"}` };
}

function garbage(
  scm: Scm,
  owner: z.infer<typeof account>,
  gone: z.infer<typeof repository> | undefined,
  now: number,
): GarbageRequest {
  return {
    functions: [],
    owner: owner.login,
    ownerId: `${scm}:${owner.id}`,
    repo: gone?.name ?? "*",
    ...(gone === undefined ? {} : { repositoryId: `${scm}:${gone.id}` }),
    before: now,
  };
}
