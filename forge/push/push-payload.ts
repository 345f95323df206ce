import type { Commit as CommitShape, PushEvent } from "@octokit/webhooks-types";
import { NO_SHA } from "../git/read-refs.ts";
import type { Links } from "../links.ts";
import { formatRepository, formatUser, nodeId } from "../shapes.ts";
import type { RefChange } from "../store/deliveries.ts";
import type { Repository } from "../store/repositories.ts";
import type { Commit, PushedCommits } from "./read-commits.ts";

/** Body of a `push` delivery, as GitHub writes it (docs.github.com, "Webhook events and payloads"). */
export function formatPush(
  repository: Repository,
  change: RefChange,
  pushed: PushedCommits,
  links: Links,
): PushEvent {
  const { owner, name } = repository;
  const web = links.web(owner, name);
  const email = `${owner.id}+${owner.login}@users.noreply.${links.host}`;
  const toCommit = (commit: Commit) => formatCommit(commit, web);
  return {
    ref: change.ref,
    before: change.before,
    after: change.after,
    created: change.before === NO_SHA,
    deleted: change.after === NO_SHA,
    forced: pushed.forced,
    base_ref: null,
    compare: formatCompare(change, web),
    commits: pushed.commits.map(toCommit),
    head_commit: pushed.head === null ? null : toCommit(pushed.head),
    repository: {
      ...formatRepository(repository, links),
      owner: { ...formatUser(owner, links), name: owner.login, email },
      // A push event differs from the REST API in these.
      url: web,
      created_at: Math.floor(repository.createdAt / 1000),
      pushed_at: Math.floor(repository.pushedAt / 1000),
      stargazers: 0,
      master_branch: repository.defaultBranch,
    },
    pusher: { name: owner.login, email },
    sender: formatUser(owner, links),
    installation: { id: owner.id, node_id: nodeId("Installation", owner.id) },
  };
}

function formatCompare({ ref, before, after }: RefChange, web: string): string {
  if (before === NO_SHA) return `${web}/compare/${ref.replace(/^refs\/(heads|tags)\//, "")}`;
  return `${web}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`;
}

function formatCommit(commit: Commit, web: string): CommitShape {
  return {
    id: commit.id,
    tree_id: commit.tree_id,
    distinct: true,
    message: commit.message,
    timestamp: commit.timestamp,
    url: `${web}/commit/${commit.id}`,
    author: commit.author,
    committer: commit.committer,
    added: [...commit.added],
    removed: [...commit.removed],
    modified: [...commit.modified],
  };
}
