import test, { type ExecutionContext } from "ava";
import { setUpForge } from "../test-helpers/set-up-forge.ts";

/** Ask for paths of alice/shop as alice; the statuses. */
async function setUp(t: ExecutionContext) {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const { token, pushUrl } = forge.forge.createToken("alice");
  await forge.git(["push", `${pushUrl}shop.git`, "main"], tree);
  return async (path: string) => {
    const response = await fetch(`${forge.url}/api/v3/repos/alice/shop${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return response.status;
  };
}

const REFS = [
  "--all",
  "-",
  "a..b",
  "main^{tree}",
  "main:stack.yml",
  "@{-1}",
  "main\n1",
  "../../x",
  "refs/heads/main.lock",
  "",
];
const PATHS = ["../config", "a/../stack.yml", "./stack.yml", "stack.yml\nHEAD", "/etc/passwd"];

test("names as they should be are found", async (t) => {
  const ask = await setUp(t);

  const statuses = await Promise.all(
    [
      "/branches/main",
      "/git/ref/heads%2Fmain",
      "/commits/heads%2Fmain/status",
      "/contents/stack.yml?ref=main",
    ].map(ask),
  );

  t.deepEqual(statuses, [200, 200, 200, 200]);
});

test("a ref that is no ref's name never reaches git as anything else", async (t) => {
  const ask = await setUp(t);

  for (const ref of REFS) {
    const name = encodeURIComponent(ref);
    const statuses = await Promise.all(
      [
        `/branches/${name}x`,
        `/git/ref/heads/${name}`,
        `/commits/${name}/status`,
        `/contents/stack.yml?ref=${name}x`,
      ].map(ask),
    );
    t.deepEqual(
      statuses.filter((status) => status !== 404 && status !== 422),
      [],
      ref,
    );
  }
});

test("a path that leaves the tree, or asks a second question, is not there", async (t) => {
  const ask = await setUp(t);

  for (const path of PATHS) t.is(await ask(`/contents/${encodeURIComponent(path)}`), 404, path);
});
