import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, HttpError } from "#sdk/errors.ts";
import type { Log } from "#sdk/log.ts";
import { createApi } from "./api/create-api.ts";
import type { Forge, ForgeTools } from "./forge.ts";
import { makeBareRepository, removeUnfinished, repositoryFolder } from "./git/bare-repository.ts";
import { createCaretaker } from "./git/create-caretaker.ts";
import { createGitHandler } from "./git/create-git-handler.ts";
import { createTransfer } from "./git/create-transfer.ts";
import { endLeftOverPushes } from "./git/end-left-over-pushes.ts";
import { findGit } from "./git/git.ts";
import { gitConfig } from "./git/git-config.ts";
import { writeHooks } from "./git/hook.ts";
import { removeStaleLocks } from "./git/remove-stale-locks.ts";
import { whyNotWritable } from "./git/why-not-writable.ts";
import { createLinks } from "./links.ts";
import { createAnnouncer } from "./push/announce.ts";
import { createPayloadBuilder } from "./push/build-payload.ts";
import { createSender } from "./push/create-sender.ts";
import { followPush } from "./push/follow-push.ts";
import { createCheckRuns } from "./store/check-runs.ts";
import { type Database, openDatabase } from "./store/database.ts";
import { createDeliveries } from "./store/deliveries.ts";
import { createInstallationTokens } from "./store/installation-tokens.ts";
import { createRepositories, type Repository } from "./store/repositories.ts";
import { createStatuses } from "./store/statuses.ts";
import { createUsers, type NewToken } from "./store/users.ts";

/** Open the Git host of one machine. Its own folder is `<data>/git`, readable by nobody else. */
export async function openForge(tools: ForgeTools): Promise<Forge> {
  const { settings, log, publicUrl, now = Date.now, fetch = globalThis.fetch } = tools;
  if (tools.webhookSecret === "")
    throw new Error("The webhook secret is empty; refusing to sign with it.");
  const folders = await makeFolders(tools.dataFolder);
  const git = await findGit(gitConfig(folders.hooks, settings));
  const folderOf = (id: number) => repositoryFolder(folders.repositories, id);
  const database = openDatabase(folders.database);
  await chmod(folders.database, 0o600);

  const links = createLinks(publicUrl);
  const stores = openStores(database, now);
  const { users, repositories } = stores;
  await clearUp(folders.repositories, repositories.listAll(), log);
  const shared = { ...tools, ...stores, git, folderOf, links, fetch, now };
  const sender = createSender({ ...shared, buildPayload: createPayloadBuilder(shared) });
  const announcer = createAnnouncer({ ...shared, ...settings });
  const caretaker = createCaretaker(git, folderOf, log);
  const transfers = createTransfer({
    git,
    root: folders.repositories,
    settings,
    log,
    async onPushed(repository, changes, write, signal) {
      const made = await announcer.announce(repository, changes);
      sender.wake();
      log.info("push-received", {
        owner: repository.owner.login,
        repository: repository.name,
        refs: changes.length,
        deliveries: made.length,
      });
      await followPush({ ...shared, sender }, made, write, signal);
    },
    async onPushEnded(repository, heard) {
      if (!heard && (await announcer.reconcile(repository)).length > 0) sender.wake();
      caretaker.visit(repository.id);
    },
  });
  const handleGit = createGitHandler({
    ...shared,
    ...transfers,
    sizeOf: ({ id }) => caretaker.sizeOf(id),
    refusePush: () => tools.refusePush?.() ?? whyNotWritable(folders.git),
  });
  const handleApi = await createApi({ ...shared, wakeSender: sender.wake });

  return {
    async handler(request, requestLog) {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/git/")) return handleGit(request, requestLog);
      if (pathname.startsWith("/api/v3")) return handleApi(request, requestLog);
      throw new HttpError(404, "not-found", `The forge has nothing at ${pathname}.`);
    },
    async start() {
      sender.wake();
      for (const repository of repositories.listAll()) {
        // A crash may have come between a ref and its webhook.
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
    pack: () => caretaker.packAll(repositories.listAll().map(({ id }) => id)),
    async close() {
      await transfers.close();
      await Promise.all([sender.close(), caretaker.close()]);
      database.close();
    },
  };
}

/** What a crash left in repositories; nothing works in them yet. */
async function clearUp(root: string, all: readonly Repository[], log: Log): Promise<void> {
  const pids = await endLeftOverPushes(root);
  if (pids.length > 0) log.warn("left-over-pushes-ended", { pids });
  for (const { id: repository } of all) {
    const folder = repositoryFolder(root, repository);
    try {
      // A crash may have come between the record of a repository and its folder.
      await makeBareRepository(folder);
      const removed = await removeStaleLocks(folder);
      if (removed.length > 0) log.warn("stale-locks-removed", { repository, removed });
    } catch (error) {
      log.error("repository-not-cleared", { repository, error: describe(error) });
    }
  }
}

async function makeFolders(dataFolder: string) {
  const git = join(dataFolder, "git");
  const [repositories, hooks] = [join(git, "forge"), join(git, "hooks")];
  await mkdir(repositories, { recursive: true, mode: 0o700 });
  await mkdir(hooks, { recursive: true, mode: 0o700 });
  await writeHooks(hooks);
  await removeUnfinished(repositories);
  return { git, repositories, hooks, database: join(git, "forge.db") };
}

function openStores(database: Database, now: () => number) {
  return {
    users: createUsers(database, now),
    repositories: createRepositories(database, now),
    deliveries: createDeliveries(database, now),
    statuses: createStatuses(database, now),
    checkRuns: createCheckRuns(database),
    installationTokens: createInstallationTokens(database, now),
  };
}

/** Address of the owner's repositories with the token in it: `http://alice:ofc_…@127.0.0.1:8080/git/alice/`. */
function formatPushUrl(publicUrl: string, { user, token }: NewToken): string {
  const url = new URL(`git/${user.login}/`, publicUrl);
  url.username = user.login;
  url.password = token;
  return url.href;
}
