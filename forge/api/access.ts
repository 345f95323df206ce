import type { PermissionName } from "../store/installation-tokens.ts";
import type { Repositories, Repository } from "../store/repositories.ts";
import type { User, Users } from "../store/users.ts";
import type { Caller } from "./authenticate.ts";
import { GithubError, notFound } from "./github-error.ts";

/** `statuses: write` and the like, as a route needs it. */
export type Need = { readonly permission: PermissionName; readonly level: "read" | "write" };

/** Find a repository by its names if the caller may see it, else 404 in the same bytes. */
export function findVisible(
  caller: Caller,
  users: Users,
  repositories: Repositories,
  login: string,
  name: string,
): Repository {
  const owner = users.findUser(login);
  const repository = owner && repositories.find(owner, name);
  if (repository === undefined || !maySee(caller, repository)) throw notFound();
  return repository;
}

/** The App itself sees all; a token what it names; an owner what is theirs. Compared by id only. */
export function maySee(caller: Caller, repository: Repository): boolean {
  if (caller.kind === "app") return true;
  if (caller.user.id !== repository.owner.id) return false;
  if (caller.kind === "user") return true;
  const { repositoryIds } = caller.token;
  return repositoryIds === null || repositoryIds.includes(repository.id);
}

/** Throw 403 unless the caller's token carries the permission. */
export function requirePermission(caller: Caller, { permission, level }: Need): void {
  if (caller.kind === "installation") {
    const given = caller.token.permissions[permission];
    if (given === "write" || (given === "read" && level === "read")) return;
    throw new GithubError(
      403,
      `Resource not accessible by integration: it needs ${permission}: ${level}`,
    );
  }
  if (caller.kind === "user" && level === "read") return;
  const what =
    caller.kind === "app" ? "the App's JWT; use an installation token" : "a user's token";
  throw new GithubError(403, `Resource not accessible by ${what}`);
}

export function requireApp(caller: Caller): void {
  if (caller.kind !== "app")
    throw new GithubError(401, "A JSON web token of the App is needed here");
}

export function requireInstallation(caller: Caller): {
  readonly user: User;
  readonly visible: (repository: Repository) => boolean;
} {
  if (caller.kind !== "installation")
    throw new GithubError(403, "You must authenticate with an installation access token");
  return { user: caller.user, visible: (repository) => maySee(caller, repository) };
}
