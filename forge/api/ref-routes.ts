import { type GitObject, readObjects } from "../git/read-objects.ts";
import { isRefName, type Ref, readRef, readRefs } from "../git/read-refs.ts";
import { nodeId } from "../shapes.ts";
import type { Repository } from "../store/repositories.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { formatCommit } from "./commit-shape.ts";
import { createFindCommit } from "./find-commit.ts";
import { notFound } from "./github-error.ts";
import { paginate } from "./pages.ts";

/** Branches, refs and commits. */
export function createRefRoutes({ git, folderOf, links }: ApiTools) {
  const findCommit = createFindCommit({ git, folderOf });
  return { listBranches, showBranch, showRef, listMatching, showCommit };

  async function listBranches(context: ApiContext, repository: Repository): Promise<Response> {
    const refs = await readRefs(git, folderOf(repository.id), ["refs/heads/"]);
    const api = links.repository(repository.owner, repository.name);
    const { items, headers } = paginate(refs, context.req.url);
    const branches = items.map(({ name, sha }) => ({
      name: name.slice("refs/heads/".length),
      commit: { sha, url: `${api}/commits/${sha}` },
      protected: false,
    }));
    return context.json(branches, 200, headers);
  }

  async function showBranch(context: ApiContext, repository: Repository): Promise<Response> {
    const branch = context.req.param("branch") ?? "";
    const commit = await findExact(repository, `refs/heads/${branch}`);
    const api = links.repository(repository.owner, repository.name);
    return context.json({
      name: branch,
      commit: formatCommit(commit, repository, links),
      _links: {
        self: `${api}/branches/${branch}`,
        html: `${links.web(repository.owner, repository.name)}/tree/${branch}`,
      },
      protected: false,
    });
  }

  async function findExact(repository: Repository, ref: string): Promise<GitObject> {
    if (!isRefName(ref)) throw notFound();
    const [commit] = await readObjects(git, folderOf(repository.id), [ref]);
    if (commit?.type !== "commit") throw notFound();
    return commit;
  }

  async function showRef(context: ApiContext, repository: Repository): Promise<Response> {
    const name = `refs/${context.req.param("ref") ?? ""}`;
    if (!isRefName(name)) throw notFound();
    const exact = await readRef(git, folderOf(repository.id), name);
    if (exact === undefined) throw notFound();
    return context.json(formatRef(exact, repository));
  }

  async function listMatching(context: ApiContext, repository: Repository): Promise<Response> {
    const start = `refs/${context.req.param("ref") ?? ""}`;
    const refs = await readRefs(git, folderOf(repository.id), ["refs/"]);
    const matching = refs.filter(({ name }) => name.startsWith(start));
    const { items, headers } = paginate(matching, context.req.url);
    return context.json(
      items.map((ref) => formatRef(ref, repository)),
      200,
      headers,
    );
  }

  async function showCommit(context: ApiContext, repository: Repository): Promise<Response> {
    const commit = await findCommit(repository, context.req.param("ref") ?? "");
    const accept = context.req.header("accept") ?? "";
    if (/\bapplication\/vnd\.github(\.v3)?\.sha\b/.test(accept)) return context.text(commit.sha);
    return context.json(formatCommit(commit, repository, links));
  }

  function formatRef({ name, sha, type }: Ref, repository: Repository) {
    const api = links.repository(repository.owner, repository.name);
    return {
      ref: name,
      node_id: nodeId(`Ref${name}`, repository.id),
      url: `${api}/git/${name}`,
      object: { type, sha, url: `${api}/git/${type}s/${sha}` },
    };
  }
}
