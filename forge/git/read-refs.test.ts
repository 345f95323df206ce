import test from "ava";
import { commit, setUpForge } from "../test-helpers/set-up-forge.ts";
import { findGit } from "./git.ts";
import { readRef } from "./read-refs.ts";

test("a branch is read where Git has put it: in a file of its own, packed, and both", async (t) => {
  const forge = await setUpForge(t);
  const git = await findGit({});
  const tree = await forge.workTree();
  const folder = `${forge.folder}/data/git/forge/1.git`;
  const push = () => forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);
  const read = async () => (await readRef(git, folder, "refs/heads/main"))?.sha;
  await push();
  const loose = await read();
  await git.run(folder, ["pack-refs", "--all"]);
  const packed = await read();
  const head = await commit(tree, { "f.txt": "2" }, "second");
  await push();

  t.regex(loose ?? "", /^[0-9a-f]{40}$/);
  t.is(packed, loose);
  t.is(await read(), head);
  t.is(await readRef(git, folder, "refs/heads/none"), undefined);
  t.is(await readRef(git, folder, "refs/heads"), undefined);
});
