import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { describe } from "#sdk/errors.ts";
import { start, stop } from "#sdk/listen.ts";
import { silentLog } from "#sdk/log.ts";
import { CommitGone, FetchError, toFetchError } from "./fetch-error.ts";
import { MIRROR_LIMITS, openMirror } from "./mirror.ts";
import { packBytes } from "./mirror-folder.ts";
import { openTestMirror } from "./testing/open-test-mirror.ts";

const { signal } = new AbortController();
const NOWHERE = "0123456789abcdef0123456789abcdef01234567";
const run = promisify(execFile);
const CANARY = "canary-3f9c2e";

/** For what is refused before anything happens. */
const unused = {
  folder: "/nonexistent/1.git",
  cloneUrl: "https://github.com/alice/shop.git",
  origins: ["https://github.com"],
  credential: () => Promise.reject(new Error("asked")),
  environment: {},
  limits: MIRROR_LIMITS,
  log: silentLog,
};

async function setUp(
  t: ExecutionContext,
  given: Omit<Parameters<typeof openTestMirror>[0], "environment"> = {},
) {
  const mirror = await openTestMirror({ environment: process.env, ...given });
  t.teardown(() => mirror.close());
  return mirror;
}

async function textOf(
  { mirror }: Pick<Awaited<ReturnType<typeof setUp>>, "mirror">,
  sha: string,
  path: string,
) {
  const tree = await mirror.listTree(sha, signal);
  const blobs = mirror.openBlobs(signal);
  try {
    return String(await blobs.read(tree.find((entry) => entry.path === path)?.id ?? ""));
  } finally {
    blobs.close();
  }
}

test("a commit is fetched once, listed with its kinds and sizes, and read", async (t) => {
  const { server, mirror, reopen } = await setUp(t);
  const sha = await server.commit({
    "stack.yml": "functions: {}\n",
    "cart/run.sh": { script: "#!/bin/sh\n" },
    "cart/link": { link: "../stack.yml" },
    "cart/a\nb": "odd",
  });

  const fetched = [await mirror.fetchCommit(sha, signal), await reopen().fetchCommit(sha, signal)];

  t.deepEqual(fetched, [true, false]);
  const tree = await mirror.listTree(sha, signal);
  t.deepEqual(
    tree.map(({ path, kind, sizeBytes }) => [path, kind, sizeBytes]),
    [
      ["cart/a\nb", "file", 3],
      ["cart/link", "link", 12],
      ["cart/run.sh", "executable", 10],
      ["stack.yml", "file", 14],
    ],
  );
  t.is(await textOf({ mirror }, sha, "cart/link"), "../stack.yml");
  t.is(server.requests.length, 2);
});

test("a commit that is here needs neither the source nor a credential", async (t) => {
  const { server, mirror, reopen } = await setUp(t);
  const sha = await server.commit({ a: "1" });
  await mirror.fetchCommit(sha, signal);
  await server.close();

  const again = reopen({ credential: () => Promise.reject(new Error("asked")) });

  t.false(await again.fetchCommit(sha, signal));
  t.is(await textOf({ mirror: again }, sha, "a"), "1");
});

test("a later commit brings only what changed", async (t) => {
  const { server, mirror, options } = await setUp(t);
  const first = await server.commit({ big: randomBytes(300_000), small: "1" });
  await mirror.fetchCommit(first, signal);
  const second = await server.commit({ small: "2" });

  await mirror.fetchCommit(second, signal);

  t.is(await textOf({ mirror }, second, "small"), "2");
  t.is(
    (await textOf({ mirror }, second, "big")).length,
    (await textOf({ mirror }, first, "big")).length,
  );
  const packs = (await readdir(join(options.folder, "objects/pack"))).filter((name) =>
    name.endsWith(".pack"),
  );
  const sizes = await Promise.all(
    packs.map(async (name) => (await readFile(join(options.folder, "objects/pack", name))).length),
  );
  t.true(Math.min(...sizes) < 2_000, `packs of ${sizes} bytes`);
});

test("nothing is checked out, and no hook or attribute of the repository acts", async (t) => {
  const { server, mirror, options } = await setUp(t);
  const sha = await server.commit({
    ".gitattributes": "* filter=evil text eol=crlf ident export-subst\n",
    "a.txt": "one\n$Id$\n",
    ".git-hooks/post-checkout": { script: "#!/bin/sh\ntouch /tmp/evil\n" },
  });

  await mirror.fetchCommit(sha, signal);

  t.is(await textOf({ mirror }, sha, "a.txt"), "one\n$Id$\n");
  t.deepEqual((await readdir(options.folder)).sort(), [
    "HEAD",
    "config",
    "objects",
    "refs",
    "shallow",
  ]);
});

test("a commit that a force-push took away is CommitGone, never another commit", async (t) => {
  const { server, mirror, options } = await setUp(t);
  await server.commit({ a: "1" });

  const error = await t.throwsAsync(mirror.fetchCommit(NOWHERE, signal), {
    instanceOf: CommitGone,
  });

  t.like(error, {
    failure: "commit-gone",
    retryable: false,
    message: "commit 0123456 is gone at its source; a force-push replaced it",
  });
  t.deepEqual(
    await readdir(join(options.folder, "refs")).then((names) => names.includes("kept")),
    false,
  );
});

for (const sha of [
  "HEAD",
  "main",
  "--upload-pack=x",
  "ABCDEF0123456789abcdef0123456789abcdef01",
  "",
  `${NOWHERE}\n`,
]) {
  test(`${JSON.stringify(sha)} is no commit and starts nothing`, async (t) => {
    const mirror = openMirror(unused);

    await t.throwsAsync(mirror.fetchCommit(sha, signal), { message: "a commit is 40 hex digits" });
    await t.throwsAsync(mirror.listTree(sha, signal), { message: "a commit is 40 hex digits" });

    t.false(existsSync(unused.folder));
  });
}

for (const cloneUrl of [
  "file:///etc",
  "ssh://git@github.com/a/b.git",
  "ext::sh -c touch%20/tmp/x",
  "git@github.com:a/b.git",
  "--upload-pack=touch /tmp/x",
  "http://127.0.0.1:1/shop",
  "https://user:pass@github.com/a/b.git",
  "https://github.com.evil.example/a/b.git",
  "https://github.com/a/b.git?x=y",
  "https://github.com/a/b.git#x",
  "",
]) {
  test(`the clone URL ${JSON.stringify(cloneUrl)} is refused`, (t) => {
    const options = { ...unused, cloneUrl, origins: ["https://github.com"] };

    t.throws(() => openMirror(options), { instanceOf: FetchError, code: "bad-url" });
  });
}

test("the newest commit of a branch is told, and a branch that is not there is undefined", async (t) => {
  const { server, mirror } = await setUp(t);
  const main = await server.commit({ a: "1" });
  const other = await server.commit({ a: "2" }, "feature/refs/heads/main");

  t.is(await mirror.readHead("main", signal), main);
  t.is(await mirror.readHead("feature/refs/heads/main", signal), other);
  t.is(await mirror.readHead("gone", signal), undefined);
  t.is(await mirror.readHead("--upload-pack=x", signal), undefined);
});

test("fetches of one repository wait for each other, and each commit arrives", async (t) => {
  const { server, reopen } = await setUp(t);
  const shas: string[] = [];
  for (let i = 0; i < 4; i++) shas.push(await server.commit({ a: String(i) }));

  await Promise.all([...shas, ...shas].map((sha) => reopen().fetchCommit(sha, signal)));

  const texts = await Promise.all(shas.map((sha) => textOf({ mirror: reopen() }, sha, "a")));
  t.deepEqual(texts, ["0", "1", "2", "3"]);
  t.is(server.requests.length, 8);
});

test("stale locks and half a pack of a killed git do not hold up a fetch", async (t) => {
  const { server, mirror, options } = await setUp(t);
  const before = await server.commit({ a: "1" });
  await mirror.fetchCommit(before, signal);
  const sha = await server.commit({ a: "2" });
  const stale = [
    "shallow.lock",
    `refs/kept/${sha}.lock`,
    "config.lock",
    "HEAD.lock",
    "objects/pack/tmp_pack_x1",
  ];
  for (const path of stale) await writeFile(join(options.folder, path), "");

  await mirror.fetchCommit(sha, signal);

  t.is(await textOf({ mirror }, sha, "a"), "2");
  t.deepEqual((await readdir(join(options.folder, "refs/kept"))).sort(), [before, sha].sort());
  t.false(
    (await readdir(join(options.folder, "objects/pack"))).some((name) => name.startsWith("tmp_")),
  );
});

for (const [title, path, content] of [
  ["config is garbage", "config", "\0\0\0["],
  ["list of shallow commits is garbage", "shallow", "nonsense\n"],
  ["HEAD is empty", "HEAD", ""],
] as const) {
  test(`a mirror whose ${title} is made anew`, async (t) => {
    const { server, mirror, options } = await setUp(t);
    await mirror.fetchCommit(await server.commit({ a: "1" }), signal);
    await writeFile(join(options.folder, path), content);
    const sha = await server.commit({ a: "2" });

    await mirror.fetchCommit(sha, signal);

    t.is(await textOf({ mirror }, sha, "a"), "2");
  });
}

test("a mirror that lost its objects says so to the reader and is made anew by the next fetch", async (t) => {
  const { server, mirror, options } = await setUp(t);
  const sha = await server.commit({ a: "1" });
  await mirror.fetchCommit(sha, signal);
  const packs = join(options.folder, "objects/pack");
  for (const name of await readdir(packs)) {
    // git makes them read-only, which holds everybody but root.
    await chmod(join(packs, name), 0o600);
    await writeFile(join(packs, name), "");
  }

  await t.throwsAsync(mirror.listTree(sha, signal), { instanceOf: FetchError, code: "broken" });

  t.true(await mirror.fetchCommit(sha, signal));
  t.is(await textOf({ mirror }, sha, "a"), "1");
});

test("a mirror starts anew after its number of commits, while a reader of the old one reads on", async (t) => {
  const { server, mirror, options } = await setUp(t, { limits: { commits: 2 } });
  const [first, second, third] = [
    await server.commit({ a: "1" }),
    await server.commit({ a: "2" }),
    await server.commit({ a: "3" }),
  ];
  await mirror.fetchCommit(first, signal);
  await mirror.fetchCommit(second, signal);
  const [one] = await mirror.listTree(first, signal);
  const [two] = await mirror.listTree(second, signal);
  const blobs = mirror.openBlobs(signal);
  await blobs.read(one?.id ?? "");

  await mirror.fetchCommit(third, signal);

  t.is(String(await blobs.read(two?.id ?? "")), "2");
  blobs.close();
  t.deepEqual(await readdir(join(options.folder, "refs/kept")), [third]);
});

test("a fetch beyond its size is stopped and leaves nothing", async (t) => {
  const { server, mirror, options } = await setUp(t, { limits: { fetchBytes: 10_000 } });
  const sha = await server.commit({ big: randomBytes(300_000) });

  const error = await t.throwsAsync(mirror.fetchCommit(sha, signal), { instanceOf: FetchError });

  t.like(error, { code: "too-large", retryable: false });
  t.false(existsSync(join(options.folder, "refs/kept", sha)));
  t.true((await packBytes(options.folder)) < 10_000);
});

for (const name of [".git", "..", "a/b"]) {
  test(`a commit whose tree names ${JSON.stringify(name)} is refused by git's own check`, async (t) => {
    const { server, mirror, options } = await setUp(t);
    await server.commit({ a: "1" });
    const blob = Buffer.from(await server.git("rev-parse", "HEAD:a"), "hex");
    const file = join(options.folder, "..", "tree");
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, Buffer.concat([Buffer.from(`100644 ${name}\0`), blob]));
    const tree = await server.git("hash-object", "-t", "tree", "--literally", "-w", file);
    const sha = await server.git("commit-tree", "-m", "odd", tree);
    await server.git("update-ref", "refs/heads/odd", sha);

    const error = await t.throwsAsync(mirror.fetchCommit(sha, signal), { instanceOf: FetchError });

    t.like(error, { code: "bad-objects", retryable: false });
  });
}

test("a full disk is reported as such, and what was fetched is cleared away", async (t) => {
  const { server, options } = await setUp(t);
  const disk = await mountSmallDisk(t);
  if (disk === undefined) {
    t.pass("skipped: a small disk cannot be mounted here");
    return;
  }
  const sha = await server.commit({ big: randomBytes(6_000_000) });
  const folder = join(disk, "1.git");
  const mirror = openMirror({ ...options, folder });

  await t.throwsAsync(mirror.fetchCommit(sha, signal), { code: "disk-full" });

  t.true((await packBytes(folder)) < 100_000);
});

test("a commit of too many files is refused while it is listed", async (t) => {
  const { server, mirror } = await setUp(t, { limits: { files: 10 } });
  const sha = await server.commit(
    Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`f${i}`, "x"])),
  );
  await mirror.fetchCommit(sha, signal);

  await t.throwsAsync(mirror.listTree(sha, signal), {
    code: "too-large",
    message: "the commit holds more than 10 files",
  });
});

test("a source that answers nothing is given up after the time limit", async (t) => {
  const { server, mirror } = await setUp(t, { limits: { fetchMs: 400 } });
  server.answerWith(() => {});

  const error = await t.throwsAsync(mirror.fetchCommit(NOWHERE, signal), {
    instanceOf: FetchError,
  });

  t.like(error, { code: "timed-out", retryable: true });
});

test("a fetch ends when its caller gives up, with the caller's reason", async (t) => {
  const { server, mirror } = await setUp(t);
  const caller = new AbortController();
  server.answerWith(() => caller.abort(new Error("superseded")));

  await t.throwsAsync(mirror.fetchCommit(NOWHERE, caller.signal), { message: "superseded" });
});

for (const [status, code, retryable] of [
  [404, "repository-gone", false],
  [403, "no-access", false],
  [500, "unreachable", true],
  [302, "bad-url", false],
] as const) {
  test(`a source that answers ${status} is ${code}, ${retryable ? "to be tried again" : "for good"}`, async (t) => {
    const { server, mirror } = await setUp(t);
    server.answerWith((_request, response) =>
      response.writeHead(status, { location: "http://169.254.169.254/" }).end(),
    );

    const error = await t.throwsAsync(mirror.fetchCommit(NOWHERE, signal), {
      instanceOf: FetchError,
    });

    t.like(error, { code, retryable });
  });
}

test("a source that is down is unreachable, and the mirror is kept", async (t) => {
  const { server, mirror, options } = await setUp(t);
  const sha = await server.commit({ a: "1" });
  await mirror.fetchCommit(sha, signal);
  await server.close();

  await t.throwsAsync(mirror.fetchCommit(NOWHERE, signal), {
    instanceOf: FetchError,
    code: "unreachable",
  });

  t.deepEqual(await readdir(join(options.folder, "refs/kept")), [sha]);
});

test("a private repository opens with its credential and not with another", async (t) => {
  const login = { username: "x-access-token", password: CANARY };
  const { server, mirror, reopen } = await setUp(t, { login });
  const sha = await server.commit({ a: "1" });

  for (const wrong of [undefined, { ...login, password: "wrong" }]) {
    const other = reopen({ credential: async () => wrong });
    await t.throwsAsync(other.fetchCommit(sha, signal), {
      instanceOf: FetchError,
      code: "no-access",
    });
  }

  t.true(await mirror.fetchCommit(sha, signal));
  t.is(await mirror.readHead("main", signal), sha);
});

// It once ended the build for good, as if the source had refused the platform.
test("a helper that is killed before it handed the credential over is no refusal", async (t) => {
  const login = { username: "x-access-token", password: CANARY };
  const { server, mirror, reopen } = await setUp(t, { login });
  const sha = await server.commit({ a: "1" });
  const folder = await mkdtemp(join(tmpdir(), "ofc-helper-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const put = (name: string, line: string) =>
    writeFile(join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  await put("killed", "kill -9 $$");
  await put("git", `PATH=/usr/local/bin:/usr/bin:/bin GIT_ASKPASS=${folder}/killed exec git "$@"`);

  const unlucky = reopen({ environment: { ...process.env, PATH: folder } });

  const error = await t.throwsAsync(unlucky.fetchCommit(sha, signal), {
    instanceOf: FetchError,
    code: "unreachable",
    message: "git could not be given the platform's credential",
  });
  t.true(error?.retryable);
  t.true(await mirror.fetchCommit(sha, signal));
});

test("a credential that a server echoes is masked", (t) => {
  const error = toFetchError(
    `remote: bad token ${CANARY}\nfatal: Authentication failed`,
    NOWHERE,
    CANARY,
  );

  t.is(
    describe(error),
    "the source refused the platform's credential; is the App still installed?: remote: bad token *** | fatal: Authentication failed",
  );
});

test("the credential is in no argument, environment, file or error", async (t) => {
  const login = { username: "x-access-token", password: CANARY };
  const seen: string[] = [];
  const proxied = createServer((_request, response) => {
    void readProcesses().then((texts) => {
      seen.push(...texts);
      response.writeHead(500, CANARY).end(CANARY);
    });
  });
  const origin = await start(proxied, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => stop(proxied, 0));
  const { server, mirror, reopen, options } = await setUp(t, { login });
  await mirror.fetchCommit(await server.commit({ a: "1" }), signal);

  const failing = reopen({ cloneUrl: `${origin}/shop/.git`, origins: [origin] });
  const error = await t.throwsAsync(failing.fetchCommit(NOWHERE, signal));

  t.true(
    seen.some((text) => text.includes("git-remote-http")),
    "git was looked at while it ran",
  );
  t.deepEqual(
    seen.filter((text) => text.includes(CANARY)),
    [],
  );
  t.false(describe(error).includes(CANARY), describe(error));
  const files = await readdir(options.folder, { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile()))
    t.false(
      (await readFile(join(file.parentPath, file.name), "latin1")).includes(CANARY),
      file.name,
    );
});

/** Arguments and environment of every process of this machine that may be read. */
async function readProcesses(): Promise<readonly string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const files = ids.flatMap((id) => [`/proc/${id}/cmdline`, `/proc/${id}/environ`]);
  // Processes come and go while they are looked at.
  return Promise.all(files.map((file) => readFile(file, "latin1").catch(() => "")));
}

/** A disk of 2 MiB; `undefined` where this user may not mount one. */
async function mountSmallDisk(t: ExecutionContext): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
  } catch (error) {
    t.log(`no small disk: ${describe(error)}`);
    return undefined;
  }
  t.teardown(() => run("umount", ["--lazy", folder]).then(() => rm(folder, { recursive: true })));
  return folder;
}
