import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "ava";
import { z } from "zod";
import { commit, poll, runGit, setUpForge } from "./test-helpers/set-up-forge.ts";

const NO_SHA = "0".repeat(40);

test("a first push makes the repository, delivers a webhook and tells the pusher how it ends", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is(pushed.code, 0, pushed.output);
  t.regex(pushed.output, /remote: live in 0\.01 s/);
  const [webhook] = await forge.webhooks(1);
  t.like(webhook?.push, {
    ref: "refs/heads/main",
    before: NO_SHA,
    created: true,
    deleted: false,
    forced: false,
    installation: { id: 1 },
    head_commit: { message: "first", added: ["stack.yml"] },
  });
  t.like(webhook?.push.repository, {
    full_name: "alice/shop",
    default_branch: "main",
    private: true,
    clone_url: `${forge.url}/git/alice/shop.git`,
  });
});

test("a push delivery has every field that GitHub's own has, and its headers", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();

  await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  const [webhook] = await forge.webhooks(1);
  const recorded = recordedPush();
  t.deepEqual(missingFields(recorded, webhook?.push), []);
  t.like(Object.fromEntries(webhook?.headers ?? []), {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-hook-installation-target-type": "integration",
    "x-github-hook-installation-target-id": "4711",
  });
  t.regex(
    webhook?.headers.get("x-github-delivery") ?? "",
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  );
});

test("the first branch becomes the default one, whatever its name", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");

  await forge.git(["push", url, "main:refs/heads/trunk"], tree);
  await forge.git(["push", url, "main:refs/heads/main"], tree);
  await forge.git(["clone", "--quiet", url, "copy"]);

  const [, second] = await forge.webhooks(2);
  t.is(second?.push.repository.default_branch, "trunk");
  const head = await readFile(join(forge.folder, "copy/.git/HEAD"), "utf8");
  t.is(head, "ref: refs/heads/trunk\n");
});

test("a forced push says so and lists only what is new", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  const lost = await commit(tree, { "a.txt": "1" }, "lost");
  await forge.git(["push", url, "main"], tree);
  await forge.git(["reset", "--quiet", "--hard", "HEAD~1"], tree);
  const kept = await commit(tree, { "stack.yml": "functions: {a: {}}\n" }, "kept");

  const refused = await forge.git(["push", url, "main"], tree);
  const forced = await forge.git(["push", "--force", url, "main"], tree);

  t.not(refused.code, 0);
  t.is(forced.code, 0, forced.output);
  const [, second] = await forge.webhooks(2);
  t.like(second?.push, { before: lost, after: kept, forced: true, created: false });
  t.deepEqual(
    second?.push.commits.map(({ message, modified }) => ({ message, modified })),
    [{ message: "kept", modified: ["stack.yml"] }],
  );
});

test("a deleted branch is announced, and the default branch cannot be deleted", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["push", url, "main", "main:refs/heads/topic"], tree);

  const deleted = await forge.git(["push", "--delete", url, "topic"], tree);
  const refused = await forge.git(["push", "--delete", url, "main"], tree);

  t.is(deleted.code, 0, deleted.output);
  const webhooks = await forge.webhooks(3);
  t.like(webhooks[2]?.push, {
    ref: "refs/heads/topic",
    after: NO_SHA,
    deleted: true,
    commits: [],
    head_commit: null,
  });
  t.regex(refused.output, /refusing to delete the current branch/);
  t.is(webhooks.length, 3);
});

test("an annotated tag is announced with its own id and the commit it points at", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["tag", "--annotate", "--message=one", "v1"], tree);
  const tag = (await forge.git(["rev-parse", "v1"], tree)).output.trim();
  const head = (await forge.git(["rev-parse", "HEAD"], tree)).output.trim();

  await forge.git(["push", url, "main", "v1"], tree);

  const pushes = (await forge.webhooks(2)).map(({ push }) => push);
  const told = pushes.find(({ ref }) => ref === "refs/tags/v1");
  t.is(told?.after, tag);
  t.is(told?.head_commit?.id, head);
});

test("a push of 100 refs delivers each once, the default branch among the first", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const sha = (await forge.git(["rev-parse", "HEAD"], tree)).output.trim();
  const tags = Array.from({ length: 99 }, (_, index) => `create refs/tags/t${index} ${sha}\n`);
  await runGitWithInput(["update-ref", "--stdin"], tree, tags.join(""));

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main", "--tags"], tree);

  t.is(pushed.code, 0, pushed.output);
  const webhooks = await forge.webhooks(100);
  // Four are under way at once, so the first to be sent need not be the first to arrive.
  t.true(webhooks.slice(0, 4).some(({ push }) => push.ref === "refs/heads/main"));
  t.is(new Set(webhooks.map(({ push }) => push.ref)).size, 100);
});

test("eight pushes at once, half of them to one new repository, lose nothing and repeat nothing", async (t) => {
  const forge = await setUpForge(t);
  const url = forge.pushUrl("alice", "shop");
  const tree = await forge.workTree();
  const branches = Array.from({ length: 8 }, (_, index) => `b${index}`);

  const outcomes = await Promise.all(
    branches.map((name, index) =>
      forge.git(
        [
          "push",
          index % 2 === 0 ? url : url.replace("shop", `shop${index}`),
          `main:refs/heads/${name}`,
        ],
        tree,
      ),
    ),
  );

  t.deepEqual(
    outcomes.filter(({ code }) => code !== 0),
    [],
  );
  const refs = (await forge.webhooks(8)).map(({ push }) => push.ref);
  t.deepEqual(
    refs.toSorted(),
    branches.map((name) => `refs/heads/${name}`),
  );
});

test("pushes that cross on one branch are told as one chain that ends at the branch's head", async (t) => {
  const forge = await setUpForge(t);
  const url = forge.pushUrl("alice", "shop");
  const tree = await forge.workTree();
  const heads: string[] = [];
  for (let index = 0; index < 6; index += 1)
    heads.push(await commit(tree, { "f.txt": String(index) }, `commit ${index}`));

  const outcomes = await Promise.all(
    heads.map((head) => forge.git(["push", "--force", url, `${head}:refs/heads/main`], tree)),
  );

  // Git itself refuses a push whose branch moved meanwhile; the others stand.
  t.true(outcomes.some(({ code }) => code === 0));
  const listed = await forge.git(["ls-remote", url, "refs/heads/main"]);
  const head = listed.output.slice(0, 40);
  await poll(() => forge.received.at(-1)?.push.after === head || undefined);
  const chain = forge.received.map(({ push }) => push);
  t.deepEqual(
    chain.map(({ before }) => before),
    [NO_SHA, ...chain.map(({ after }) => after).slice(0, -1)],
  );
});

test("a push larger than one buffer and a fetch with a compressed request get through", async (t) => {
  const forge = await setUpForge(t);
  const url = forge.pushUrl("alice", "shop").replace(/\.git$/, "");
  const random = Array.from({ length: 120_000 }, () => Math.random()).join("");
  const tree = await forge.workTree({ "big.txt": random });
  const refs: string[] = [];
  for (let index = 0; index < 30; index += 1) {
    const sha = await commit(tree, {}, `commit ${index}`);
    refs.push(`${sha}:refs/heads/b${index}`);
  }

  const pushed = await forge.git(["push", url, ...refs], tree);
  const cloned = await forge.git(["clone", "--quiet", "--mirror", url, "copy.git"]);
  const listed = await forge.git(["for-each-ref", "--format=x"], `${forge.folder}/copy.git`);

  t.is(pushed.code, 0, pushed.output);
  t.regex(pushed.output, /remote: 20 more branches were pushed; their builds are not shown here\./);
  t.is(cloned.code, 0, cloned.output);
  t.is(listed.output, "x\n".repeat(30));
});

test("a new branch at an old commit lists no commits and names its head", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["push", url, "main"], tree);

  await forge.git(["push", url, "main:refs/heads/topic"], tree);

  const [, second] = await forge.webhooks(2);
  t.like(second?.push, { created: true, commits: [], head_commit: { message: "first" } });
});

test("a commit that a forced push replaced is fetched by its id", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["push", url, "main"], tree);
  const old = (await forge.git(["rev-parse", "HEAD"], tree)).output.trim();
  await forge.git(["commit", "--quiet", "--amend", "--message=other"], tree);
  await forge.git(["push", "--force", url, "main"], tree);
  const mirror = await forge.workTree();

  const fetched = await runGit(["fetch", "--quiet", "--depth=1", url, old], mirror);
  // Protocol 2 serves any commit; older clients depend on the forge's setting.
  const older = await runGit(["-c", "protocol.version=0", "fetch", "--depth=1", url, old], tree);

  t.is(fetched.code, 0, fetched.output);
  t.is(older.code, 0, older.output);
});

test("a tree that holds a .git folder is refused with git's reason", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const blob = (await forge.git(["rev-parse", "HEAD:stack.yml"], tree)).output.trim();
  const evil = await runGitWithInput(["mktree"], tree, `100644 blob ${blob}\t.git\n`);
  const made = await forge.git(["commit-tree", "--no-gpg-sign", "-m", "evil", evil.trim()], tree);

  const pushed = await forge.git(
    ["push", forge.pushUrl("alice", "shop"), `${made.output.trim()}:refs/heads/main`],
    tree,
  );

  t.not(pushed.code, 0);
  t.regex(pushed.output, /hasDotgit/);
  t.deepEqual(forge.received, []);
});

/** GitHub's recorded push delivery, as `@octokit/webhooks-examples` ships it. */
function recordedPush(): unknown {
  const Examples = z.array(z.object({ name: z.string(), examples: z.array(z.unknown()) }));
  const require = createRequire(import.meta.url);
  const all = Examples.parse(require("@octokit/webhooks-examples/api.github.com/index.json"));
  return all.find(({ name }) => name === "push")?.examples[0];
}

/** Paths of fields that `wanted` has and `given` lacks, or has with another type. */
function missingFields(wanted: unknown, given: unknown, path = ""): string[] {
  if (wanted === null || given === null) return [];
  if (typeof wanted !== typeof given) return [path];
  if (typeof wanted !== "object" || typeof given !== "object" || Array.isArray(wanted)) return [];
  const values = new Map(Object.entries(given));
  return Object.entries(wanted).flatMap(([key, value]) =>
    // GitHub knows who an author is by their e-mail address; the forge has no such directory.
    key === "username" ? [] : missingFields(value, values.get(key), `${path}/${key}`),
  );
}

async function runGitWithInput(args: readonly string[], cwd: string, input: string) {
  return new Promise<string>((resolve, reject) => {
    const child = execFile("git", [...args], { cwd }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
    child.stdin?.end(input);
  });
}
