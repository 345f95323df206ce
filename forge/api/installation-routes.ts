import { formatRepository } from "../shapes.ts";
import { requireInstallation } from "./access.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { paginate } from "./pages.ts";

/** What an installation token sees of itself. */
export function createInstallationRoutes({ repositories, installationTokens, links }: ApiTools) {
  return { listRepositories, revokeToken };

  function listRepositories(context: ApiContext): Response {
    const { user, visible } = requireInstallation(context.get("caller"));
    const all = repositories.list(user.id).filter(visible);
    const { items, headers } = paginate(all, context.req.url);
    return context.json(
      {
        total_count: all.length,
        repository_selection: "all",
        repositories: items.map((repository) => formatRepository(repository, links)),
      },
      200,
      headers,
    );
  }

  function revokeToken(context: ApiContext): Response {
    requireInstallation(context.get("caller"));
    const token = /\s(\S+)$/.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
    installationTokens.revoke(token);
    return context.body(null, 204);
  }
}
