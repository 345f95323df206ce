import type { GitObject } from "../git/read-objects.ts";
import type { Links } from "../links.ts";
import { formatTime, nodeId } from "../shapes.ts";
import type { Repository } from "../store/repositories.ts";

type Signature = { readonly name: string; readonly email: string; readonly date: string };

type ParsedCommit = {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: Signature;
  readonly committer: Signature;
  readonly message: string;
};

/** A commit as `GET /repos/:owner/:repo/commits/:ref` answers it, without files and statistics. */
export function formatCommit(object: GitObject, repository: Repository, links: Links) {
  const commit = parseCommit(object.content.toString("utf8"));
  const api = links.repository(repository.owner, repository.name);
  const web = links.web(repository.owner, repository.name);
  return {
    sha: object.sha,
    node_id: nodeId(`Commit${object.sha}`, repository.id),
    commit: {
      author: commit.author,
      committer: commit.committer,
      message: commit.message,
      tree: { sha: commit.tree, url: `${api}/git/trees/${commit.tree}` },
      url: `${api}/git/commits/${object.sha}`,
      comment_count: 0,
      verification: { verified: false, reason: "unsigned", signature: null, payload: null },
    },
    url: `${api}/commits/${object.sha}`,
    html_url: `${web}/commit/${object.sha}`,
    comments_url: `${api}/commits/${object.sha}/comments`,
    author: null,
    committer: null,
    parents: commit.parents.map((sha) => ({
      sha,
      url: `${api}/commits/${sha}`,
      html_url: `${web}/commit/${sha}`,
    })),
  };
}

/** Parse the text of a commit object (gitformat: header lines, an empty line, the message). */
function parseCommit(text: string): ParsedCommit {
  const end = text.indexOf("\n\n");
  const lines = (end < 0 ? text : text.slice(0, end)).split("\n");
  const values = (key: string) =>
    lines.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
  return {
    tree: values("tree")[0] ?? "",
    parents: values("parent"),
    author: parseSignature(values("author")[0] ?? ""),
    committer: parseSignature(values("committer")[0] ?? ""),
    message: end < 0 ? "" : text.slice(end + 2).trimEnd(),
  };
}

function parseSignature(text: string): Signature {
  const [, name = "", email = "", seconds = "0"] = /^(.*?) ?<(.*)> (-?\d+)/.exec(text) ?? [];
  const ms = Number(seconds) * 1000;
  return { name, email, date: formatTime(Math.abs(ms) <= 8.64e15 ? ms : 0) };
}
