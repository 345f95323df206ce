import { formatRepository, formatUser } from "../shapes.ts";
import type { Repository } from "../store/repositories.ts";
import type { User } from "../store/users.ts";
import { maySee, requirePermission } from "./access.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { readId } from "./app-routes.ts";
import { GithubError, notFound } from "./github-error.ts";
import { paginate } from "./pages.ts";

export function createRepositoryRoutes({ repositories, links }: ApiTools) {
  return { show, showById, showUser, listOwn };

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
