import { z } from "zod";
import { formatRepository, formatTime, formatUser, nodeId } from "../shapes.ts";
import { APP_PERMISSIONS, type Permissions } from "../store/installation-tokens.ts";
import type { Repository } from "../store/repositories.ts";
import type { User } from "../store/users.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { notFound, unprocessable } from "./github-error.ts";
import { paginate } from "./pages.ts";
import { readBody } from "./read-body.ts";

const TokenRequest = z.object({
  repositories: z.array(z.string().max(200)).max(500).optional(),
  repository_ids: z.array(z.number().int()).max(500).optional(),
  permissions: z.record(z.string(), z.string()).optional(),
});

const SLUG = "forge";

/** What the App sees of itself; every owner is an installation with the owner's id. */
export function createAppRoutes({
  users,
  repositories,
  installationTokens,
  links,
  appId,
}: ApiTools) {
  return {
    show,
    listInstallations,
    showInstallation,
    showInstallationOfUser,
    showInstallationOfRepository,
    createToken,
  };

  function show(context: ApiContext): Response {
    const made = formatTime(0);
    return context.json({
      id: appId,
      slug: SLUG,
      node_id: nodeId("App", appId),
      name: "Forge",
      description: "The Git host of this platform",
      owner: null,
      external_url: links.api,
      html_url: links.api,
      created_at: made,
      updated_at: made,
      permissions: APP_PERMISSIONS,
      events: ["push"],
      installations_count: users.listUsers().length,
    });
  }

  function listInstallations(context: ApiContext): Response {
    const { items, headers } = paginate(users.listUsers(), context.req.url);
    return context.json(items.map(formatInstallation), 200, headers);
  }

  function showInstallation(context: ApiContext): Response {
    return context.json(formatInstallation(findInstalled(context)));
  }

  function showInstallationOfUser(context: ApiContext): Response {
    const user = users.findUser(context.req.param("owner") ?? "");
    if (user === undefined) throw notFound();
    return context.json(formatInstallation(user));
  }

  function showInstallationOfRepository(context: ApiContext): Response {
    const { owner = "", repo = "" } = context.req.param();
    const user = users.findUser(owner);
    if (user === undefined || repositories.find(user, repo) === undefined) throw notFound();
    return context.json(formatInstallation(user));
  }

  async function createToken(context: ApiContext): Promise<Response> {
    const user = findInstalled(context);
    const body = await readBody(context.req.raw, TokenRequest);
    const selected = select(user, body);
    const permissions = narrow(body.permissions);
    const { token, expiresAt } = installationTokens.create({
      userId: user.id,
      repositoryIds: selected?.map(({ id }) => id) ?? null,
      permissions,
    });
    const answer = {
      token,
      expires_at: formatTime(expiresAt),
      permissions,
      repository_selection: selected === undefined ? "all" : "selected",
    };
    return context.json(
      selected === undefined
        ? answer
        : { ...answer, repositories: selected.map((one) => formatRepository(one, links)) },
      201,
    );
  }

  /** The repositories a token is asked for; all when none is named. */
  function select(user: User, body: z.infer<typeof TokenRequest>): Repository[] | undefined {
    const { repositories: names, repository_ids: ids } = body;
    if (names === undefined && ids === undefined) return undefined;
    const own = repositories.list(user.id);
    const named = (names ?? []).map((name) =>
      own.find((one) => one.name.toLowerCase() === name.toLowerCase()),
    );
    const found = [...named, ...(ids ?? []).map((id) => own.find((one) => one.id === id))];
    if (found.length === 0)
      throw unprocessable("name at least one repository, or none of both fields");
    return [...new Set(found)].map((repository) => {
      if (repository !== undefined) return repository;
      throw unprocessable(
        "There is at least one repository that does not exist or is not accessible to the parent installation.",
      );
    });
  }

  function formatInstallation(user: User) {
    return {
      id: user.id,
      node_id: nodeId("Installation", user.id),
      account: formatUser(user, links),
      repository_selection: "all",
      access_tokens_url: `${links.api}/app/installations/${user.id}/access_tokens`,
      repositories_url: `${links.api}/installation/repositories`,
      html_url: links.profile(user),
      app_id: appId,
      app_slug: SLUG,
      target_id: user.id,
      target_type: "User",
      permissions: APP_PERMISSIONS,
      events: ["push"],
      single_file_name: null,
      has_multiple_single_files: false,
      single_file_paths: [],
      created_at: formatTime(user.createdAt),
      updated_at: formatTime(user.createdAt),
      suspended_at: null,
      suspended_by: null,
    };
  }

  function findInstalled(context: ApiContext): User {
    const user = users.findUserById(readId(context));
    if (user === undefined) throw notFound();
    return user;
  }
}

/** The `:id` of the path; 404 when it is not a number. */
export function readId(context: ApiContext): number {
  const text = context.req.param("id") ?? "";
  if (!/^\d{1,15}$/.test(text)) throw notFound();
  return Number(text);
}

/** What is asked for must be within what the App has. */
function narrow(asked: Readonly<Record<string, string>> | undefined): Permissions {
  if (asked === undefined) return APP_PERMISSIONS;
  const given = Object.entries(APP_PERMISSIONS).filter(([name]) => name in asked);
  const tooMuch = Object.entries(asked).filter(([name, level]) => {
    const most = given.find(([one]) => one === name)?.[1];
    return most === undefined || (level !== most && level !== "read");
  });
  if (tooMuch.length > 0) {
    throw unprocessable(
      `The permissions requested are not granted to this installation: ${tooMuch.map(([name, level]) => `${name}: ${level}`).join(", ")}`,
    );
  }
  return Object.fromEntries(
    given.map(([name, most]) => [name, asked[name] === "read" ? "read" : most]),
  );
}
