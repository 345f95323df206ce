import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { findGit } from "../git/git.ts";
import { commit, makeWorkTree, runGit } from "../test-helpers/set-up-forge.ts";
import { readCommits } from "./read-commits.ts";

const NO_SHA = "0".repeat(40);

async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "commits-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const tree = await makeWorkTree(folder, { "a.txt": "1" });
  const before = (await runGit(["rev-parse", "HEAD"], tree)).output.trim();
  const git = await findGit({});
  return {
    tree,
    before,
    read: (after: string, from = before) =>
      readCommits(git, join(tree, ".git"), { ref: "r", before: from, after }, []),
  };
}

test("commits come oldest first with their added, changed and removed files", async (t) => {
  const { tree, before, read } = await setUp(t);
  await commit(tree, { "a.txt": "2", 'b c"d.txt': "1", M: "x" }, "one");
  await runGit(["rm", "--quiet", "M"], tree);
  const after = await commit(tree, {}, "two");

  const { commits, head, forced } = await read(after, before);

  t.deepEqual(
    commits.map(({ message, added, modified, removed }) => ({ message, added, modified, removed })),
    [
      { message: "one", added: ["M", 'b c"d.txt'], modified: ["a.txt"], removed: [] },
      { message: "two", added: [], modified: [], removed: ["M"] },
    ],
  );
  t.is(head?.id, after);
  t.false(forced);
});

test("a message cannot pose as a further commit", async (t) => {
  const { tree, read } = await setUp(t);
  const evil = `>\n${"a".repeat(40)}\nA\n\n\u0001 \u001b[31m é ${"x".repeat(3000)}`;
  const after = await commit(tree, { "b.txt": "1" }, evil);

  const { commits } = await read(after);

  t.is(commits.length, 1);
  t.is(commits[0]?.message, evil);
});

test("a merge brings the commits of both sides", async (t) => {
  const { tree, read } = await setUp(t);
  await runGit(["checkout", "--quiet", "-b", "side"], tree);
  await commit(tree, { "side.txt": "1" }, "side");
  await runGit(["checkout", "--quiet", "main"], tree);
  await commit(tree, { "main.txt": "1" }, "main");
  await runGit(["merge", "--quiet", "--no-ff", "--message=merge", "side"], tree);
  const after = (await runGit(["rev-parse", "HEAD"], tree)).output.trim();

  const { commits } = await read(after);

  t.deepEqual(commits.map(({ message }) => message).toSorted(), ["main", "merge", "side"]);
  t.is(commits.at(-1)?.message, "merge");
});

test("a ref is forced when commits are left behind, whatever it brings", async (t) => {
  const { tree, before, read } = await setUp(t);
  const left = await commit(tree, { "a.txt": "2" }, "left");
  await runGit(["reset", "--quiet", "--hard", before], tree);
  const kept = await commit(tree, { "a.txt": "3" }, "kept");
  await runGit(["merge", "--quiet", "--strategy=ours", "--message=both", left], tree);
  const both = (await runGit(["rev-parse", "HEAD"], tree)).output.trim();
  const isForced = async (from: string, to: string) => (await read(to, from)).forced;

  t.true(await isForced(left, kept));
  t.true(await isForced(left, before));
  t.false(await isForced(before, before));
  t.false(await isForced(before, kept));
  t.false(await isForced(left, both));
  t.true(await isForced(both, left));
});

test("a deleted ref brings nothing", async (t) => {
  const { read } = await setUp(t);

  t.deepEqual(await read(NO_SHA), { commits: [], head: null, forced: false });
});
