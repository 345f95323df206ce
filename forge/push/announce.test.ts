import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { silentLog } from "#sdk/log.ts";
import { makeBareRepository } from "../git/bare-repository.ts";
import { findGit } from "../git/git.ts";
import { gitConfig } from "../git/git-config.ts";
import { openDatabase } from "../store/database.ts";
import { createDeliveries } from "../store/deliveries.ts";
import { createRepositories } from "../store/repositories.ts";
import { createUsers } from "../store/users.ts";
import { commit, runGit, setUpForge } from "../test-helpers/set-up-forge.ts";
import { createAnnouncer } from "./announce.ts";

const NO_SHA = "0".repeat(40);
const ref = "refs/heads/main";

/** An announcer over a repository of the forge whose `main` has moved twice, and nobody was told. */
async function setUp(t: ExecutionContext) {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const first = (await runGit(["rev-parse", "HEAD"], tree)).output.trim();
  const second = await commit(tree, { "f.txt": "2" }, "second");
  const bare = join(forge.folder, "bare.git");
  await makeBareRepository(bare);
  await runGit(["push", "--quiet", bare, "main:refs/kept/main"], tree);
  const git = await findGit(gitConfig(join(forge.folder, "hooks"), { maxPushBytes: 1_000_000 }));
  for (const sha of [first, second]) await git.run(bare, ["update-ref", ref, sha]);
  const database = openDatabase(join(forge.folder, "announce.db"));
  t.teardown(database.close);
  const { user } = createUsers(database, Date.now).createToken("alice");
  const repositories = createRepositories(database, Date.now);
  const deliveries = createDeliveries(database, Date.now);
  let kills = 0;
  const announcer = createAnnouncer({
    git: {
      ...git,
      run: async (...args) => {
        if (kills === 0) return git.run(...args);
        kills -= 1;
        throw new Error("git for-each-ref ended with SIGKILL");
      },
    },
    folderOf: () => bare,
    repositories,
    deliveries,
    maxWebhooksPerPush: 1,
    log: silentLog,
  });
  return {
    announcer,
    deliveries,
    repository: repositories.ensure(user, "shop", 1),
    first,
    second,
    /** The next so many gits are killed. */
    killGit: (times: number) => {
      kills = times;
    },
    listMoves: () => deliveries.list(99, 99).map(({ before, after }) => [before, after]),
  };
}

test("two pushes whose hooks report in the wrong order are each delivered, in the order they were taken", async (t) => {
  const { announcer, listMoves, repository, first, second } = await setUp(t);

  const later = await announcer.announce(repository, [{ ref, before: first, after: second }]);
  const earlier = await announcer.announce(repository, [{ ref, before: NO_SHA, after: first }]);

  t.deepEqual(listMoves(), [
    [first, second],
    [NO_SHA, first],
  ]);
  t.deepEqual(
    [...later, ...earlier].map(({ after }) => after),
    [second, first],
  );
});

test("pushes that nobody reported are each delivered, also when the git that looks is killed", async (t) => {
  const { announcer, listMoves, repository, first, second, killGit } = await setUp(t);
  killGit(2);

  await announcer.reconcile(repository);

  t.deepEqual(listMoves(), [
    [first, second],
    [NO_SHA, first],
  ]);
});

test("a ref that is told already is not told again", async (t) => {
  const { announcer, deliveries, repository } = await setUp(t);

  await Promise.all([announcer.reconcile(repository), announcer.reconcile(repository)]);

  t.is(deliveries.list(99, 99).length, 2);
});
