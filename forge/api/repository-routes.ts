import { z } from "zod";
import { setHead } from "../git/bare-repository.ts";
import { isRefName, readRefs } from "../git/read-refs.ts";
import { formatRepository, formatUser } from "../shapes.ts";
import type { Repository } from "../store/repositories.ts";
import type { User } from "../store/users.ts";
import { maySee, requirePermission } from "./access.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { readId } from "./app-routes.ts";
import { GithubError, notFound, unprocessable } from "./github-error.ts";
import { paginate } from "./pages.ts";
import { readBody } from "./read-body.ts";

const Change = z.object({ default_branch: z.string().min(1).max(900) });

export function createRepositoryRoutes({ git, folderOf, repositories, links }: ApiTools) {
  return { show, showById, showUser, listOwn, update };

  function show(context: ApiContext, repository: Repository): Response {
    return context.json(formatRepository(repository, links));
  }

  /** A repository keeps its id when it is renamed. */
  function showById(context: ApiContext): Response {
    const caller = context.get("caller");
    const repository = repositories.findById(readId(context));
    if (repository === undefined || !maySee(caller, repository)) throw notFound();
    requirePermission(caller, { permission: "metadata", level: "read" });
    return show(context, repository);
  }

  /** The owner alone, and the default branch alone: it is what is built unless `build_branch` says otherwise. */
  async function update(context: ApiContext, repository: Repository): Promise<Response> {
    requireUser(context);
    const { default_branch: branch } = await readBody(context.req.raw, Change);
    const ref = `refs/heads/${branch}`;
    const refs = isRefName(ref) ? await readRefs(git, folderOf(repository.id), [ref]) : [];
    if (!refs.some(({ name }) => name === ref))
      throw unprocessable(`The branch ${branch} was not found. Please push that ref first.`);
    await setHead(folderOf(repository.id), branch);
    repositories.setDefaultBranch(repository.id, branch);
    return show(context, { ...repository, defaultBranch: branch });
  }

  function showUser(context: ApiContext): Response {
    return context.json(formatUser(requireUser(context), links));
  }

  function listOwn(context: ApiContext): Response {
    const all = repositories.list(requireUser(context).id);
    const { items, headers } = paginate(all, context.req.url);
    return context.json(
      items.map((repository) => formatRepository(repository, links)),
      200,
      headers,
    );
  }
}

function requireUser(context: ApiContext): User {
  const caller = context.get("caller");
  if (caller.kind !== "user") throw new GithubError(403, "Resource not accessible by integration");
  return caller.user;
}
