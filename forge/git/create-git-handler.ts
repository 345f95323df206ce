import type { Handler } from "#sdk/answer.ts";
import type { ForgeSettings } from "../settings.ts";
import type { InstallationTokens } from "../store/installation-tokens.ts";
import { refuseRepositoryName } from "../store/names.ts";
import type { Repositories, Repository } from "../store/repositories.ts";
import type { User, Users } from "../store/users.ts";
import { askForToken, notFound, refuse } from "./git-answers.ts";
import { type GitPath, parseGitPath } from "./parse-git-path.ts";
import { readBasic } from "./read-credentials.ts";

export type GitHandlerTools = {
  readonly users: Users;
  readonly repositories: Repositories;
  readonly installationTokens: InstallationTokens;
  readonly settings: ForgeSettings;
  /** Serve a request of a repository that is there. */
  readonly transfer: (request: Request, path: GitPath, repository: Repository) => Promise<Response>;
  /** What a first push sees: no refs. */
  readonly serveEmpty: (request: Request, owner: User) => Promise<Response>;
  /** Bytes on disk. */
  readonly sizeOf: (repository: Repository) => Promise<number>;
  /** Why no owner may push now, or `undefined`. */
  readonly refusePush: () => string | undefined;
};

/** Git over HTTP: who asks, may they, and only then git. */
export function createGitHandler(tools: GitHandlerTools): Handler {
  const { users, repositories, installationTokens, settings } = tools;

  return async function answerGit(request, log) {
    const response = await handle(request);
    if (response.status >= 400) {
      const { pathname } = new URL(request.url);
      log.info("git-refused", { status: response.status, path: pathname });
    }
    return response;
  };

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const caller = authenticate(request);
    if (caller === undefined) return askForToken();
    const path = parseGitPath(url.pathname);
    const service = path === undefined ? undefined : readService(request, url, path);
    if (path === undefined || service === undefined) return notFound();
    return service === "git-receive-pack"
      ? receive(request, path, caller)
      : upload(request, path, caller);
  }

  /** An owner with a token of theirs, or the App with an installation token for reading. */
  function authenticate(request: Request): Caller | undefined {
    const credentials = readBasic(request.headers.get("authorization"));
    if (credentials === undefined) return undefined;
    if (credentials.user === "x-access-token") return authenticateApp(credentials.password);
    const user = users.findUserByToken(credentials.password);
    const same = user?.login.toLowerCase() === credentials.user.toLowerCase();
    return user !== undefined && same ? { user, mayWrite: true, mayRead: () => true } : undefined;
  }

  function authenticateApp(token: string): Caller | undefined {
    const found = installationTokens.find(token);
    const user = found && users.findUserById(found.userId);
    if (found === undefined || user === undefined) return undefined;
    const { repositoryIds, permissions } = found;
    const mayRead = (repository: Repository) =>
      permissions.contents !== undefined &&
      (repositoryIds === null || repositoryIds.includes(repository.id));
    return { user, mayWrite: false, mayRead };
  }

  async function upload(request: Request, path: GitPath, caller: Caller): Promise<Response> {
    const repository = isOwner(caller, path)
      ? repositories.find(caller.user, path.name)
      : undefined;
    if (repository === undefined || !caller.mayRead(repository)) return notFound();
    return tools.transfer(request, path, repository);
  }

  async function receive(request: Request, path: GitPath, caller: Caller): Promise<Response> {
    if (!isOwner(caller, path) || !caller.mayWrite) return notFound();
    // Git never compresses a push; what it unpacks to could not be limited here.
    if (request.headers.has("content-encoding"))
      return refuse(415, "A push is not to be compressed; use git itself.");
    const full = path.action === "info/refs" ? tools.refusePush() : undefined;
    if (full !== undefined) return refuse(507, `${full}.`);
    const { user } = caller;
    const known = repositories.find(user, path.name);
    if (known === undefined) return receiveFirst(request, path, user);
    const tooLarge = path.action === "info/refs" ? await refuseFull(known) : undefined;
    return tooLarge ?? tools.transfer(request, path, known);
  }

  /** The repository is made by the push itself, not by asking for its refs. */
  async function receiveFirst(request: Request, path: GitPath, user: User): Promise<Response> {
    const refusal = refuseRepositoryName(path.name);
    if (refusal !== undefined)
      return refuse(400, `The ${refusal}. Choose another name in the address you push to.`);
    if (path.action !== "info/refs") {
      const made = repositories.ensure(user, path.name, settings.maxRepositoriesPerOwner);
      return tools.transfer(request, path, made);
    }
    if (repositories.list(user.id).length >= settings.maxRepositoriesPerOwner) {
      return refuse(
        403,
        `${user.login} has ${settings.maxRepositoriesPerOwner} repositories, which is the limit. Push to one of them, or ask the operator to raise forge_max_repositories.`,
      );
    }
    return tools.serveEmpty(request, user);
  }

  async function refuseFull(repository: Repository): Promise<Response | undefined> {
    const size = await tools.sizeOf(repository);
    if (size <= settings.maxRepositoryBytes) return undefined;
    return refuse(
      413,
      `Repository ${repository.name} takes ${formatMib(size)}, the limit is ${formatMib(settings.maxRepositoryBytes)}. Push to a new repository without the large files, or ask the operator to raise forge_max_repository_mib.`,
    );
  }
}

type Caller = {
  readonly user: User;
  readonly mayWrite: boolean;
  readonly mayRead: (repository: Repository) => boolean;
};

function isOwner({ user }: Caller, { owner }: GitPath): boolean {
  return owner.toLowerCase() === user.login.toLowerCase();
}

/** The service asked for, when method, path and query agree on it. */
function readService(request: Request, url: URL, { action }: GitPath): string | undefined {
  if (action !== "info/refs") return request.method === "POST" ? action : undefined;
  const service = url.searchParams.get("service") ?? "";
  const known = service === "git-upload-pack" || service === "git-receive-pack";
  return request.method === "GET" && known ? service : undefined;
}

function formatMib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
