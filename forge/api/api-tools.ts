import type { Context } from "hono";
import type { Log } from "#sdk/log.ts";
import type { Git } from "../git/git.ts";
import type { Links } from "../links.ts";
import type { CheckRuns } from "../store/check-runs.ts";
import type { Deliveries } from "../store/deliveries.ts";
import type { InstallationTokens } from "../store/installation-tokens.ts";
import type { Repositories, Repository } from "../store/repositories.ts";
import type { Statuses } from "../store/statuses.ts";
import type { Users } from "../store/users.ts";
import type { Caller } from "./authenticate.ts";

/** What the routes of the API work with. */
export type ApiTools = {
  readonly git: Git;
  readonly folderOf: (repositoryId: number) => string;
  readonly links: Links;
  readonly users: Users;
  readonly repositories: Repositories;
  readonly deliveries: Deliveries;
  readonly statuses: Statuses;
  readonly checkRuns: CheckRuns;
  readonly installationTokens: InstallationTokens;
  readonly appId: number;
  readonly appPublicKeyPem: string;
  /** Send due deliveries now. */
  readonly wakeSender: () => void;
  readonly now: () => number;
};

export type ApiEnv = { Variables: { caller: Caller }; Bindings: { log: Log } };
export type ApiContext = Context<ApiEnv>;
export type Route = (context: ApiContext) => Response | Promise<Response>;
/** A route below `/repos/:owner/:repo`, reached only by callers who may see the repository. */
export type RepositoryRoute = (
  context: ApiContext,
  repository: Repository,
) => Response | Promise<Response>;
