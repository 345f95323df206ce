import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { openLedger } from "#ledger/ledger.ts";
import { openDataFolder } from "../platform/data-folder.ts";
import { backUp } from "./back-up.ts";
import { restore } from "./restore.ts";

const run = promisify(execFile);
const say = () => {};

/** A data folder with one repository of the forge, and what commits to it. */
async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "repositories-"));
  t.teardown(() => rm(folder, { recursive: true, maxRetries: 5 }));
  const dataFolder = join(folder, "data");
  (await openDataFolder(dataFolder)).unlock();
  await writeFile(join(dataFolder, "engine/kind"), "process\n");
  openLedger({ path: join(dataFolder, "ledger.db") }).close();
  const repository = join(dataFolder, "git/forge/1.git");
  await mkdir(repository, { recursive: true });
  const git = gitIn(repository);
  await git("init", "--quiet", "--bare", "--initial-branch=main");
  return { folder, dataFolder, git, commit: createCommit(git) };
}

function gitIn(repository: string) {
  const identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
  return async (...args: string[]) =>
    (await run("git", ["-C", repository, ...identity, ...args])).stdout.trim();
}

function createCommit(git: ReturnType<typeof gitIn>) {
  let parent: string | undefined;
  let made = 0;
  return async (): Promise<void> => {
    const tree = await git("hash-object", "-w", "-t", "tree", "/dev/null");
    const after = parent === undefined ? [] : ["-p", parent];
    parent = await git("commit-tree", tree, ...after, "-m", `commit ${++made}`);
    await git("update-ref", "refs/heads/main", parent);
    await git("update-ref", `refs/tags/v${made}.tmp`, parent);
  };
}

test("a repository is whole in the backup although it is pushed to and packed anew meanwhile", async (t) => {
  const { folder, dataFolder, git, commit } = await setUp(t);
  for (let count = 0; count < 20; count += 1) await commit();
  const atFirst = Number(await git("rev-list", "--count", "main"));
  let going = true;
  t.teardown(() => {
    going = false;
  });
  const busy = (async () => {
    for (let round = 0; going; round += 1) {
      await commit();
      if (round % 3 === 0) await git("gc", "--quiet", "--prune=now");
    }
  })();

  for (let round = 0; round < 5; round += 1) {
    const file = join(folder, `backup-${round}`);
    const target = join(folder, `target-${round}`);
    await backUp({ dataFolder, file, say });
    await restore({ dataFolder: target, file, say });
    const restored = gitIn(join(target, "git/forge/1.git"));
    await t.notThrowsAsync(restored("fsck", "--full", "--strict"));
    t.true(Number(await restored("rev-list", "--count", "main")) >= atFirst);
    t.true(Number(await restored("rev-list", "--all", "--count")) >= atFirst);
    t.is(await restored("symbolic-ref", "HEAD"), "refs/heads/main");
    t.is(
      await restored("for-each-ref", "--format=%(refname)", "refs/tags/v1.tmp"),
      "refs/tags/v1.tmp",
    );
  }
  going = false;
  await busy;
});
