import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { silentLog } from "#sdk/log.ts";
import { findGit } from "../git/git.ts";
import { openDatabase } from "../store/database.ts";
import { createDeliveries } from "../store/deliveries.ts";
import { createRepositories } from "../store/repositories.ts";
import { createUsers } from "../store/users.ts";
import { commit, runGit, setUpForge } from "../test-helpers/set-up-forge.ts";
import { createAnnouncer } from "./announce.ts";

const NO_SHA = "0".repeat(40);

/** An announcer over a repository whose `main` has moved twice, and nobody was told. */
async function setUp(t: ExecutionContext) {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const first = (await runGit(["rev-parse", "HEAD"], tree)).output.trim();
  const second = await commit(tree, { "f.txt": "2" }, "second");
  const database = openDatabase(join(forge.folder, "announce.db"));
  t.teardown(database.close);
  const { user } = createUsers(database, Date.now).createToken("alice");
  const repositories = createRepositories(database, Date.now);
  const deliveries = createDeliveries(database, Date.now);
  const announcer = createAnnouncer({
    git: await findGit({}),
    folderOf: () => join(tree, ".git"),
    repositories,
    deliveries,
    maxWebhooksPerPush: 10,
    log: silentLog,
  });
  return { announcer, deliveries, repository: repositories.ensure(user, "shop", 1), first, second };
}

test("two pushes whose hooks report in the wrong order make one delivery, which both follow", async (t) => {
  const { announcer, deliveries, repository, first, second } = await setUp(t);
  const ref = "refs/heads/main";

  const later = await announcer.announce(repository, [{ ref, before: first, after: second }]);
  const earlier = await announcer.announce(repository, [{ ref, before: NO_SHA, after: first }]);

  const changes = deliveries.list(99, 99).map(({ before, after }) => [before, after]);
  t.deepEqual(changes, [[NO_SHA, second]]);
  t.deepEqual(
    [...later, ...earlier].map(({ id }) => id),
    [1, 1],
  );
});

test("a ref that is told already is not told again", async (t) => {
  const { announcer, deliveries, repository } = await setUp(t);

  await Promise.all([announcer.reconcile(repository), announcer.reconcile(repository)]);

  t.is(deliveries.list(99, 99).length, 1);
});
