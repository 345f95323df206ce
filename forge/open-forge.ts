import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Forge, ForgeTools } from "./forge.ts";
import { removeUnfinished, repositoryFolder } from "./git/bare-repository.ts";
import { createGitHandler } from "./git/create-git-handler.ts";
import { createTransfer } from "./git/create-transfer.ts";
import { findGit } from "./git/git.ts";
import { gitConfig } from "./git/git-config.ts";
import { writeHooks } from "./git/hook.ts";
import { createLinks } from "./links.ts";
import { createAnnouncer } from "./push/announce.ts";
import { createPayloadBuilder } from "./push/build-payload.ts";
import { createSender } from "./push/create-sender.ts";
import { followPush } from "./push/follow-push.ts";
import { openDatabase } from "./store/database.ts";
import { createDeliveries } from "./store/deliveries.ts";
import { createInstallationTokens } from "./store/installation-tokens.ts";
import { createRepositories } from "./store/repositories.ts";
import { createUsers, type NewToken } from "./store/users.ts";

/** Open the Git host of one machine. */
export async function openForge(tools: ForgeTools): Promise<Forge> {
  const { settings, log, publicUrl, now = Date.now, fetch = globalThis.fetch } = tools;
  if (tools.webhookSecret === "")
    throw new Error("The webhook secret is empty; refusing to sign with it.");
  const root = join(tools.dataFolder, "git", "forge");
  const hooks = join(tools.dataFolder, "git", "hooks");
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mkdir(hooks, { recursive: true, mode: 0o700 });
  await writeHooks(hooks);
  await removeUnfinished(root);
  const git = await findGit(gitConfig(hooks, settings));
  const folderOf = (id: number) => repositoryFolder(root, id);

  const database = openDatabase(join(tools.dataFolder, "git", "forge.db"));
  const users = createUsers(database, now);
  const repositories = createRepositories(database, now);
  const deliveries = createDeliveries(database, now);
  const installationTokens = createInstallationTokens(database, now);
  const links = createLinks(publicUrl);
  const buildPayload = createPayloadBuilder({ git, folderOf, repositories, deliveries, links });
  const sender = createSender({ ...tools, deliveries, buildPayload, fetch, now });
  const announcer = createAnnouncer({
    git,
    folderOf,
    repositories,
    deliveries,
    maxWebhooksPerPush: settings.maxWebhooksPerPush,
  });

  const transfers = createTransfer({
    git,
    root,
    settings,
    log,
    async onPushed(repository, changes, write, signal) {
      const made = await announcer.announce(repository, changes);
      sender.wake();
      await followPush(
        { deliveries, sender, followBuild: tools.followBuild, settings },
        made,
        write,
        signal,
      );
    },
    async onUnheard(repository) {
      const made = await announcer.reconcile(repository);
      if (made.length > 0) sender.wake();
    },
  });
  const handleGit = createGitHandler({
    users,
    repositories,
    installationTokens,
    settings,
    ...transfers,
    sizeOf: async () => 0,
  });

  return {
    handler: async (request, requestLog) => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/git/")) return handleGit(request, requestLog);
      throw new HttpError(404, "not-found", `The forge has nothing at ${pathname}.`);
    },
    async start() {
      sender.wake();
      for (const repository of repositories.listAll()) {
        await announcer.reconcile(repository).catch((error: unknown) => {
          log.error("repository-not-read", { repository: repository.id, error: describe(error) });
        });
      }
      sender.wake();
    },
    createToken(owner, name) {
      const made = users.createToken(owner, name);
      return { ...made, pushUrl: formatPushUrl(publicUrl, made) };
    },
    rotateToken: users.rotateToken,
    revokeToken: users.revokeToken,
    listTokens: users.listTokens,
    async close() {
      await transfers.close();
      await sender.close();
      database.close();
    },
  };
}

/** Address of the owner's repositories with the token in it: `http://alice:ofc_…@127.0.0.1:8080/git/alice/`. */
function formatPushUrl(publicUrl: string, { user, token }: NewToken): string {
  const url = new URL(`git/${user.login}/`, publicUrl);
  url.username = user.login;
  url.password = token;
  return url.href;
}
