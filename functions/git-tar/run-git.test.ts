import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { Env } from "#sdk/env.ts";
import { runGit } from "./run-git.ts";
import { startGitServer } from "./testing/git-server.ts";

const run = promisify(execFile);
const { signal } = new AbortController();

/** What would make git run a program or go elsewhere, in the platform's own environment. */
const HOSTILE: Env = {
  GIT_DIR: "/nonexistent",
  GIT_SSH_COMMAND: "touch ran",
  GIT_PROXY_COMMAND: "touch ran",
  GIT_EXTERNAL_DIFF: "touch ran",
  GIT_EXEC_PATH: "/nonexistent",
  GIT_ALLOW_PROTOCOL: "ext:file:ssh",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "core.hooksPath",
  GIT_CONFIG_VALUE_0: "/tmp",
  GIT_CONFIG_PARAMETERS: "'core.hooksPath'='/tmp'",
  GIT_TRACE: "/tmp/trace",
  LD_PRELOAD: "evil.so",
  XDG_CONFIG_HOME: "/tmp",
  BASH_ENV: "/tmp/evil",
};

/** A mirror's folder, and a home whose configuration is hostile; `ran` is there once something was run. */
async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "run-git-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const server = await startGitServer({ environment: process.env });
  t.teardown(() => server.close());
  const sha = await server.commit({ a: "1" });
  const [home, mirror, ran] = [join(folder, "home"), join(folder, "m.git"), join(folder, "ran")];
  const touch = join(folder, "touch.sh");
  await mkdir(home);
  await run("git", ["init", "--quiet", "--bare", "--template=", mirror]);
  await writeFile(touch, `#!/bin/sh\ntouch '${ran}'\n`);
  await chmod(touch, 0o755);
  const { PATH = "" } = process.env;

  return {
    folder,
    mirror,
    home,
    touch,
    server,
    sha,
    hasRun: () => existsSync(ran),
    /** As the pipeline does. */
    git: (args: readonly string[], environment: Env = { PATH, HOME: home, ...HOSTILE }) =>
      runGit({ folder: mirror, args, environment, signal }),
    /** As anybody would, by whose configuration it is. */
    stockGit: (...args: string[]) =>
      run("git", args, { cwd: mirror, env: { PATH, HOME: home, GIT_TERMINAL_PROMPT: "0" } }).then(
        ({ stdout }) => stdout,
        (error: unknown) => String(error),
      ),
  };
}

test("git gets exactly this environment, whatever the platform's own holds", async (t) => {
  const { folder, git } = await setUp(t);
  const [programs, seen] = [join(folder, "programs"), join(folder, "environment")];
  await mkdir(programs);
  await writeFile(
    join(programs, "git"),
    `#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >'${seen}'\n`,
  );
  await chmod(join(programs, "git"), 0o755);
  const PATH = `${programs}:/usr/bin:/bin`;

  await git([], { ...HOSTILE, PATH, HOME: "/root", https_proxy: "http://proxy:3128" });

  const lines = (await readFile(seen, "utf8")).trim().split("\n");
  t.deepEqual(lines.sort(), [
    "GIT_ALLOC_LIMIT=512m",
    "GIT_ALLOW_PROTOCOL=http:https",
    "GIT_ATTR_NOSYSTEM=1",
    "GIT_CONFIG_GLOBAL=/dev/null",
    "GIT_CONFIG_NOSYSTEM=1",
    "GIT_DEFAULT_HASH=sha1",
    "GIT_DEFAULT_REF_FORMAT=files",
    "GIT_LITERAL_PATHSPECS=1",
    "GIT_NO_LAZY_FETCH=1",
    "GIT_NO_REPLACE_OBJECTS=1",
    "GIT_OPTIONAL_LOCKS=0",
    "GIT_TERMINAL_PROMPT=0",
    "HOME=/nonexistent",
    "LC_ALL=C",
    `PATH=${PATH}`,
    "https_proxy=http://proxy:3128",
  ]);
});

test("git obeys this configuration over the mirror's own, and none of the machine's or the user's", async (t) => {
  const { git, home } = await setUp(t);
  await writeFile(join(home, ".gitconfig"), "[user]\n\tname = the user's own\n");

  const { stdout } = await git(["config", "--list", "--show-scope"]);

  const lines = stdout.trim().split("\n");
  t.deepEqual([...new Set(lines.map((line) => line.split("\t")[0]))], ["local", "command"]);
  t.deepEqual(
    lines.filter((line) => line.startsWith("command")).map((line) => line.slice(8)),
    [
      "core.hookspath=/dev/null",
      "core.fsmonitor=false",
      "core.attributesfile=/dev/null",
      "core.fsync=none",
      "core.bigfilethreshold=16m",
      "credential.helper=",
      "gc.auto=0",
      "maintenance.auto=false",
      "submodule.recurse=false",
      "fetch.recursesubmodules=false",
      "transfer.bundleuri=false",
      "http.followredirects=false",
      "http.proactiveauth=basic",
      "http.lowspeedlimit=1000",
      "http.lowspeedtime=30",
    ],
  );
});

type Place = Awaited<ReturnType<typeof setUp>>;
/** What a class of faults needs; returns the arguments that meet it. */
type Prepare = (place: Place) => Promise<readonly string[]> | readonly string[];

const fetchAll = ({ server }: Place) => ["fetch", server.cloneUrl, "+refs/heads/*:refs/kept/*"];
const CLASSES: readonly (readonly [string, Prepare])[] = [
  [
    "a hook in the repository",
    async (place) => {
      await mkdir(join(place.mirror, "hooks"));
      const hook = join(place.mirror, "hooks/reference-transaction");
      await writeFile(hook, await readFile(place.touch));
      await chmod(hook, 0o755);
      return fetchAll(place);
    },
  ],
  [
    "a hooks folder in the user's configuration",
    async (place) => {
      const hooks = join(place.home, "hooks");
      await mkdir(hooks);
      await writeFile(join(hooks, "reference-transaction"), await readFile(place.touch));
      await chmod(join(hooks, "reference-transaction"), 0o755);
      await writeFile(join(place.home, ".gitconfig"), `[core]\n\thooksPath = ${hooks}\n`);
      return fetchAll(place);
    },
  ],
  [
    "a credential helper in the user's configuration",
    async (place) => {
      await writeFile(join(place.home, ".gitconfig"), `[credential]\n\thelper = ${place.touch}\n`);
      askForLogin(place);
      return fetchAll(place);
    },
  ],
  [
    "a credential helper in the repository's configuration",
    async (place) => {
      await place.stockGit("config", "credential.helper", place.touch);
      askForLogin(place);
      return fetchAll(place);
    },
  ],
  [
    "a transport that is a program",
    async (place) => {
      await place.stockGit("config", "protocol.ext.allow", "always");
      return ["ls-remote", `ext::${place.touch}`];
    },
  ],
  [
    "an address that the repository's configuration turns into a program",
    async (place) => {
      await place.stockGit("config", "protocol.ext.allow", "always");
      await place.stockGit("config", `url.ext::${place.touch}.insteadOf`, place.server.cloneUrl);
      return fetchAll(place);
    },
  ],
  [
    "an SSH program in the repository's configuration",
    async (place) => {
      await place.stockGit("config", "core.sshCommand", place.touch);
      return ["ls-remote", "ssh://localhost/repository.git"];
    },
  ],
  [
    "an upload program that an option names",
    (place) => ["ls-remote", `--upload-pack=${place.touch}`, place.mirror],
  ],
];

for (const [what, prepare] of CLASSES)
  test(`${what} runs with a git that is started plainly, and not with ours`, async (t) => {
    const [ours, plain] = [await setUp(t), await setUp(t)];

    const { code, stderr } = await ours.git(await prepare(ours));
    const said = await plain.stockGit(...(await prepare(plain)));

    t.false(ours.hasRun(), `${code} ${stderr}`);
    t.true(plain.hasRun(), said);
  });

for (const [protocol, url] of [
  ["file", "file:///tmp"],
  ["file", "/tmp"],
  ["ssh", "ssh://-oProxyCommand=touch/x"],
  ["git", "git://localhost/x"],
  ["ext", "ext::sh -c touch% /tmp/x"],
] as const)
  test(`the address ${url} is refused by git itself`, async (t) => {
    const { git } = await setUp(t);

    const { code, stderr } = await git(["ls-remote", "--end-of-options", url]);

    t.not(code, 0);
    t.regex(stderr, new RegExp(`transport '${protocol}' not allowed|strange hostname`), stderr);
  });

test("a server that redirects is not followed", async (t) => {
  const { git, server } = await setUp(t);
  const asked: string[] = [];
  server.answerWith((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(302, { location: `${server.origin}/elsewhere${request.url}` }).end();
  });

  const { code } = await git(["ls-remote", "--end-of-options", server.cloneUrl]);

  t.not(code, 0);
  t.deepEqual(asked, ["/shop/.git/info/refs?service=git-upload-pack"]);
});

test("a submodule is neither fetched nor run, whatever its address and path say", async (t) => {
  const { git, server, sha, hasRun, touch } = await setUp(t);
  const modules = `[submodule "x"]\n\tpath = "x\\r"\n\turl = ext::${touch}\n\tupdate = checkout\n`;
  await server.commit({ ".gitmodules": modules });
  await server.git("update-index", "--add", "--cacheinfo", `160000,${sha},x`);
  await server.git("commit", "--quiet", "--message", "a submodule");
  const asked = server.requests.length;

  const { code, stderr } = await git(fetchAll({ server } as Place));

  t.is(code, 0, stderr);
  t.false(hasRun());
  const paths = new Set(server.requests.slice(asked).map((one) => one.split(/[ ?]/)[1]));
  t.deepEqual([...paths], ["/shop/.git/info/refs", "/shop/.git/git-upload-pack"]);
});

function askForLogin({ server }: Place): void {
  server.answerWith((_request, response) => {
    response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
  });
}
