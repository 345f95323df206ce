import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test from "ava";
import { poll, runGit, setUpForge, type TestForge } from "./test-helpers/set-up-forge.ts";

/** One request of a git client with Basic credentials. */
async function ask(forge: TestForge, path: string, user?: string, password?: string) {
  const headers =
    user === undefined
      ? {}
      : { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
  const response = await fetch(`${forge.url}${path}`, { headers });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const REFS = "info/refs?service=git-upload-pack";
const PUSH = "info/refs?service=git-receive-pack";

test("no token, a wrong token, a revoked token and another owner's name are all 401", async (t) => {
  const forge = await setUpForge(t);
  const { token, id } = forge.forge.createToken("alice");
  const old = forge.forge.createToken("alice");
  forge.forge.createToken("bob");
  forge.forge.revokeToken("alice", old.id);

  const answers = [
    await ask(forge, `/git/alice/shop.git/${PUSH}`),
    await ask(forge, `/git/alice/shop.git/${PUSH}`, "alice", "ofc_wrong"),
    await ask(forge, `/git/alice/shop.git/${PUSH}`, "alice", old.token),
    await ask(forge, `/git/alice/shop.git/${PUSH}`, "bob", token),
    await ask(forge, `/git/alice/shop.git/${PUSH}`, "x-access-token", token),
  ];
  forge.forge.rotateToken("alice", id);
  answers.push(await ask(forge, `/git/alice/shop.git/${PUSH}`, "alice", token));

  t.deepEqual(
    answers.map(({ status }) => status),
    [401, 401, 401, 401, 401, 401],
  );
  t.is(new Set(answers.map(({ text }) => text)).size, 1);
  t.is(answers[0]?.headers.get("www-authenticate"), 'Basic realm="forge", charset="UTF-8"');
});

test("another owner's repository and a missing one are the same bytes", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);
  const { token } = forge.forge.createToken("alic");

  const answers = [
    await ask(forge, `/git/alice/shop.git/${REFS}`, "alic", token),
    await ask(forge, `/git/alice/none.git/${REFS}`, "alic", token),
    await ask(forge, `/git/nobody/none.git/${REFS}`, "alic", token),
    await ask(forge, `/git/alic/none.git/${REFS}`, "alic", token),
    await ask(forge, `/git/alice/shop.git/${PUSH}`, "alic", token),
    await ask(forge, "/git/alice/shop.git/HEAD", "alic", token),
  ];

  t.deepEqual(
    answers.map(({ status }) => status),
    [404, 404, 404, 404, 404, 404],
  );
  t.is(new Set(answers.map(({ text }) => text)).size, 1);
});

test("a push to another owner's repository fails, tells the user, and changes nothing", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("bob", "shop").replace("/git/bob/", "/git/alice/");

  const pushed = await forge.git(["push", url, "main"], tree);

  t.not(pushed.code, 0);
  t.regex(pushed.output, /remote: There is no such repository, or it is not yours\./);
  t.deepEqual(forge.received, []);
});

test("a wrong token tells the user how to get one", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop").replace(/ofc_[^@]+/, "ofc_wrong");

  const pushed = await forge.git(["push", url, "main"], tree);

  t.not(pushed.code, 0);
  t.regex(pushed.output, /\.\/ofc token <owner> makes one/);
});

for (const name of [
  "..",
  ".",
  "%2e%2e",
  "-",
  "a;b",
  "a b",
  "$(id)",
  "a.git.git",
  "--upload-pack=x",
  "é",
  "a".repeat(101),
]) {
  test(`a first push to a repository named ${JSON.stringify(name.slice(0, 20))} (${name.length}) never becomes a path or an option`, async (t) => {
    const forge = await setUpForge(t);
    const { token } = forge.forge.createToken("alice");

    const { status, text } = await ask(forge, `/git/alice/${name}/${PUSH}`, "alice", token);

    if (name === "-" || name === "--upload-pack=x") {
      t.is(status, name === "-" ? 200 : 400);
    } else {
      t.true([400, 404].includes(status), `${status}`);
      t.notRegex(text, /refs\/heads/);
    }
  });
}

test("a name that breaks the rule is refused on the user's terminal with the rule", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "my%20shop"), "main"], tree);

  t.regex(pushed.output, /remote: The repository name "my shop" may hold letters, digits/);
});

test("the repository limit is told before anything is sent", async (t) => {
  const forge = await setUpForge(t, { env: { forge_max_repositories: "1" } });
  const tree = await forge.workTree();
  await forge.git(["push", forge.pushUrl("alice", "one"), "main"], tree);

  const second = await forge.git(["push", forge.pushUrl("alice", "two"), "main"], tree);
  const again = await forge.git(["push", forge.pushUrl("alice", "one"), "main:refs/heads/b"], tree);

  t.regex(second.output, /remote: alice has 1 repositories, which is the limit\./);
  t.is(again.code, 0, again.output);
});

test("while the disk is full every push is told why, and fetching goes on", async (t) => {
  let full: string | undefined;
  const forge = await setUpForge(t, { refusePush: () => full });
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  const before = await forge.git(["push", url, "main"], tree);
  full = "The disk is full; remove functions";

  const known = await forge.git(["push", url, "main:refs/heads/other"], tree);
  const first = await forge.git(["push", forge.pushUrl("alice", "blog"), "main"], tree);
  const listed = await forge.git(["ls-remote", url]);
  full = undefined;
  const after = await forge.git(["push", url, "main:refs/heads/other"], tree);

  t.is(before.code, 0, before.output);
  t.regex(known.output, /remote: The disk is full; remove functions\./);
  t.regex(first.output, /remote: The disk is full; remove functions\./);
  t.regex(listed.output, /^[0-9a-f]{40}\trefs\/heads\/main$/m);
  t.is(after.code, 0, after.output);
});

test("packing takes what git no longer needs twice, and keeps every commit", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["push", url, "main"], tree);
  const objects = join(forge.folder, "data/git/forge/1.git/objects");
  const loose = async () =>
    (await readdir(objects)).filter((name) => /^[0-9a-f]{2}$/.test(name)).length;
  t.true((await loose()) > 0);

  await forge.forge.pack();

  t.is(await loose(), 0);
  const copy = await forge.git(["clone", url, "copy"]);
  t.is(copy.code, 0, copy.output);
});

test("asking for the refs of a repository that is not there makes none", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");

  const dry = await forge.git(["push", "--dry-run", url, "main"], tree);
  const listed = await forge.git(["ls-remote", url], tree);

  t.is(dry.code, 0, dry.output);
  t.regex(listed.output, /There is no such repository/);
});

test("a pack over the limit is refused and leaves no ref", async (t) => {
  const forge = await setUpForge(t, { env: { forge_max_push_mib: "1" } });
  const random = Array.from({ length: 200_000 }, () => Math.random()).join("");
  const tree = await forge.workTree({ "big.txt": random });

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.not(pushed.code, 0);
  t.regex(pushed.output, /pack exceeds maximum allowed size/);
  t.deepEqual(forge.received, []);
});

test("owner names that the platform keeps, or that are no host names, get no token", async (t) => {
  const forge = await setUpForge(t);

  for (const owner of ["system", "Admin", "a--b", "a_b", "", "x".repeat(40), "../x"])
    t.throws(() => forge.forge.createToken(owner), { message: /choose another name/ }, owner);
});

test("a login differs from another only by case: it is the same owner", async (t) => {
  const forge = await setUpForge(t);

  const first = forge.forge.createToken("alice");
  const second = forge.forge.createToken("ALICE");

  t.is(first.user.id, second.user.id);
  t.deepEqual(
    forge.forge.listTokens("Alice").map(({ id }) => id),
    [first.id, second.id],
  );
});

test("a token stands nowhere in the forge's files or log", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const { token, pushUrl } = forge.forge.createToken("alice");

  await forge.git(["push", `${pushUrl}shop.git`, "main"], tree);

  const found = await runGit(
    ["grep", "--no-index", "--quiet", "--text", "--fixed-strings", token, "data"],
    forge.folder,
  );
  t.is(found.code, 1);
  t.false(forge.lines.join("").includes(token));
});

test("a compressed push, which no git sends, is refused", async (t) => {
  const forge = await setUpForge(t);
  const { token } = forge.forge.createToken("alice");

  const response = await fetch(`${forge.url}/git/alice/shop.git/git-receive-pack`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`alice:${token}`).toString("base64")}`,
      "content-encoding": "gzip",
    },
    body: gzipSync("0000"),
  });

  t.is(response.status, 415);
});

test("a repository over its limit on disk takes no further push and says both sizes", async (t) => {
  const forge = await setUpForge(t, { env: { forge_max_repository_mib: "1" } });
  const random = Array.from({ length: 200_000 }, () => Math.random()).join("");
  const tree = await forge.workTree({ "big.txt": random });
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["push", url, "main"], tree);

  const refused = await poll(async () => {
    const pushed = await forge.git(["push", url, "main:refs/heads/next"], tree);
    return pushed.code === 0 ? undefined : pushed;
  });

  t.regex(refused.output, /remote: Repository shop takes \d\.\d MiB, the limit is 1\.0 MiB\./);
});
