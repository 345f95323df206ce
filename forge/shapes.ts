import type { Repository as RepositoryShape, User as UserShape } from "@octokit/webhooks-types";
import type { Links } from "./links.ts";
import type { Repository } from "./store/repositories.ts";
import type { User } from "./store/users.ts";

/** Addresses below a user and a repository, with GitHub's own templates (docs.github.com, REST). */
const USER_PATHS = {
  followers_url: "/followers",
  following_url: "/following{/other_user}",
  gists_url: "/gists{/gist_id}",
  starred_url: "/starred{/owner}{/repo}",
  subscriptions_url: "/subscriptions",
  organizations_url: "/orgs",
  repos_url: "/repos",
  events_url: "/events{/privacy}",
  received_events_url: "/received_events",
} as const;
const REPOSITORY_PATHS = {
  forks_url: "/forks",
  keys_url: "/keys{/key_id}",
  collaborators_url: "/collaborators{/collaborator}",
  teams_url: "/teams",
  hooks_url: "/hooks",
  issue_events_url: "/issues/events{/number}",
  events_url: "/events",
  assignees_url: "/assignees{/user}",
  branches_url: "/branches{/branch}",
  tags_url: "/tags",
  blobs_url: "/git/blobs{/sha}",
  git_tags_url: "/git/tags{/sha}",
  git_refs_url: "/git/refs{/sha}",
  trees_url: "/git/trees{/sha}",
  statuses_url: "/statuses/{sha}",
  languages_url: "/languages",
  stargazers_url: "/stargazers",
  contributors_url: "/contributors",
  subscribers_url: "/subscribers",
  subscription_url: "/subscription",
  commits_url: "/commits{/sha}",
  git_commits_url: "/git/commits{/sha}",
  comments_url: "/comments{/number}",
  issue_comment_url: "/issues/comments{/number}",
  contents_url: "/contents/{+path}",
  compare_url: "/compare/{base}...{head}",
  merges_url: "/merges",
  archive_url: "/{archive_format}{/ref}",
  downloads_url: "/downloads",
  issues_url: "/issues{/number}",
  pulls_url: "/pulls{/number}",
  milestones_url: "/milestones{/number}",
  notifications_url: "/notifications{?since,all,participating}",
  labels_url: "/labels{/name}",
  releases_url: "/releases{/id}",
  deployments_url: "/deployments",
} as const;

export function formatUser(user: User, links: Links): UserShape {
  return {
    login: user.login,
    id: user.id,
    node_id: nodeId("User", user.id),
    avatar_url: "",
    gravatar_id: "",
    url: links.user(user),
    html_url: links.profile(user),
    ...below(links.user(user), USER_PATHS),
    type: "User",
    site_admin: false,
  };
}

/** As the REST API writes a repository: times in RFC 3339. A push payload overlays Unix seconds. */
export function formatRepository(repository: Repository, links: Links): RepositoryShape {
  const { owner, name } = repository;
  return {
    id: repository.id,
    node_id: nodeId("Repository", repository.id),
    name,
    full_name: `${owner.login}/${name}`,
    private: repository.private,
    owner: formatUser(owner, links),
    html_url: links.web(owner, name),
    description: null,
    fork: false,
    url: links.repository(owner, name),
    ...below(links.repository(owner, name), REPOSITORY_PATHS),
    created_at: formatTime(repository.createdAt),
    updated_at: formatTime(repository.pushedAt),
    pushed_at: formatTime(repository.pushedAt),
    git_url: links.clone(owner, name),
    ssh_url: links.clone(owner, name),
    clone_url: links.clone(owner, name),
    svn_url: links.web(owner, name),
    default_branch: repository.defaultBranch,
    visibility: repository.private ? "private" : "public",
    ...UNUSED,
  };
}

/** What GitHub tells about a repository and a forge without issues, forks and pages has nothing to say on. */
const UNUSED = {
  homepage: null,
  size: 0,
  stargazers_count: 0,
  watchers_count: 0,
  language: null,
  has_issues: false,
  has_projects: false,
  has_downloads: false,
  has_wiki: false,
  has_pages: false,
  forks_count: 0,
  mirror_url: null,
  archived: false,
  disabled: false,
  open_issues_count: 0,
  license: null,
  forks: 0,
  open_issues: 0,
  watchers: 0,
  is_template: false,
  web_commit_signoff_required: false,
  topics: [],
  custom_properties: {},
} satisfies Partial<RepositoryShape>;

/** GitHub's second id: opaque text made of the kind and the number. */
export function nodeId(kind: string, id: number): string {
  return Buffer.from(`${kind.length}:${kind}${id}`).toString("base64");
}

/** `2026-01-31T08:00:00Z`, without milliseconds, as GitHub writes times. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

function below<Key extends string>(base: string, paths: Readonly<Record<Key, string>>) {
  const entries = Object.entries<string>(paths).map(([key, path]) => [key, `${base}${path}`]);
  return Object.fromEntries(entries) as Record<Key, string>;
}
