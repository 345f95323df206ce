import { execFile } from "node:child_process";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { gitEnvironment, setUpForge } from "../test-helpers/set-up-forge.ts";
import { findGit } from "./git.ts";
import { gitConfig } from "./git-config.ts";

const MAX_PUSH_BYTES = 1_000;

async function setUp(t: ExecutionContext) {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const plain = join(forge.folder, "plain.git");
  await forge.git(["init", "--quiet", "--bare", plain]);
  const made = async (args: readonly string[], input?: string) =>
    (await runGitWithInput(args, tree, input)).trim();

  return {
    forge,
    made,
    /** A commit of a tree with these entries, as `mktree` reads them. */
    async commitOf(entries: string): Promise<string> {
      const id = await made(["mktree", "--missing"], entries);
      return made(["commit-tree", "--no-gpg-sign", "-m", "hostile", id]);
    },
    blob: (text: string) => made(["hash-object", "-w", "--stdin"], text),
    push: (sha: string, ...options: string[]) =>
      forge.git(
        ["push", ...options, forge.pushUrl("alice", "shop"), `${sha}:refs/heads/main`],
        tree,
      ),
    pushToPlain: (sha: string) => forge.git(["push", plain, `${sha}:refs/heads/main`], tree),
  };
}

/** Contents of `.gitmodules` that have made git run or write what they say, with git's name for the fault. */
const MODULES: readonly (readonly [string, string, string])[] = [
  ["CVE-2018-17456: an address that is an option", "url = --upload-pack=./evil", "gitmodulesUrl"],
  ["CVE-2019-19604: an update that is a command", "update = !./evil", "gitmodulesUpdate"],
  ["CVE-2018-17456: a path that is an option", "path = --evil", "gitmodulesPath"],
];
for (const [what, line, fault] of MODULES)
  test(`${what} is refused, where a plain repository takes it`, async (t) => {
    const { push, pushToPlain, commitOf, blob } = await setUp(t);
    const modules = await blob(`[submodule "x"]\n\tpath = x\n\turl = ./x\n\t${line}\n`);
    const sha = await commitOf(`100644 blob ${modules}\t.gitmodules\n`);

    const pushed = await push(sha);

    t.not(pushed.code, 0);
    t.regex(pushed.output, new RegExp(fault));
    t.is((await pushToPlain(sha)).code, 0);
  });

test("CVE-2018-11235: a submodule's name that climbs is refused, where a plain repository takes it", async (t) => {
  const { push, pushToPlain, commitOf, blob } = await setUp(t);
  const modules = await blob('[submodule "../../evil"]\n\tpath = x\n\turl = ./x\n');
  const sha = await commitOf(`100644 blob ${modules}\t.gitmodules\n`);

  const pushed = await push(sha);

  t.regex(pushed.output, /gitmodulesName/);
  t.is((await pushToPlain(sha)).code, 0);
});

test("a .gitmodules that is a link is refused, where a plain repository takes it", async (t) => {
  const { push, pushToPlain, commitOf, blob } = await setUp(t);
  const sha = await commitOf(`120000 blob ${await blob("elsewhere")}\t.gitmodules\n`);

  const pushed = await push(sha);

  t.regex(pushed.output, /gitmodulesSymlink/);
  t.is((await pushToPlain(sha)).code, 0);
});

/** Names that some file system takes for `.git` (CVE-2014-9390, CVE-2019-1352, CVE-2024-32002). */
for (const name of [".git", ".GIT", "git~1", ".g\u200cit", ".git "])
  test(`a tree that names ${JSON.stringify(name)} is refused, where a plain repository takes it`, async (t) => {
    const { push, pushToPlain, commitOf, blob } = await setUp(t);
    const sha = await commitOf(`100644 blob ${await blob("evil")}\t${name}\n`);

    const pushed = await push(sha);

    t.regex(pushed.output, /hasDotgit/);
    t.is((await pushToPlain(sha)).code, 0);
  });

test("push options are not taken, so there is nothing to smuggle into them", async (t) => {
  const { forge, push, made } = await setUp(t);

  const pushed = await push(await made(["rev-parse", "HEAD"]), "--push-option=x; evil");

  t.not(pushed.code, 0);
  t.regex(pushed.output, /does not support push options/);
  t.deepEqual(forge.received, []);
});

test("git gets exactly this environment and configuration, and none of the machine's or the user's", async (t) => {
  const { forge, made } = await setUp(t);
  await made(["init", "--quiet", "--bare", "--template=", join(forge.folder, "bare.git")]);
  const { environment, run } = await findGit(
    gitConfig("/srv/hooks", { maxPushBytes: MAX_PUSH_BYTES }),
  );

  const listed = await run(join(forge.folder, "bare.git"), ["config", "--list", "--show-scope"]);

  const lines = String(listed).trim().split("\n");
  t.deepEqual([...new Set(lines.map((line) => line.split("\t")[0]))], ["local", "command"]);
  t.deepEqual(
    lines.filter((line) => line.startsWith("command")).map((line) => line.slice(8)),
    [
      "safe.directory=*",
      "core.hookspath=/srv/hooks",
      "core.fsmonitor=false",
      "core.attributesfile=/dev/null",
      "credential.helper=",
      "submodule.recurse=false",
      "core.fsync=committed",
      "core.fsyncmethod=batch",
      "core.logallrefupdates=true",
      "gc.reflogexpire=1.day",
      "gc.reflogexpireunreachable=1.day",
      "http.receivepack=true",
      "http.getanyfile=false",
      "receive.maxinputsize=1000",
      "receive.denynonfastforwards=false",
      "receive.denydeletecurrent=refuse",
      "receive.autogc=false",
      "receive.updateserverinfo=false",
      "receive.advertisepushoptions=false",
      "receive.shallowupdate=false",
      "receive.fsckobjects=true",
      "receive.fsck.zeropaddedfilemode=ignore",
      "receive.fsck.missingspacebeforeemail=ignore",
      "receive.fsck.missingemail=ignore",
      "receive.fsck.badtimezone=ignore",
      "transfer.advertisesid=false",
      "transfer.bundleuri=false",
      "uploadpack.allowanysha1inwant=true",
      "uploadpack.allowfilter=true",
      "gc.auto=1000",
      "gc.autodetach=false",
      "maintenance.auto=false",
      "pack.threads=1",
    ],
  );
  const rest = Object.entries(environment).filter(
    ([name]) => !/^GIT_CONFIG_(KEY|VALUE)_/.test(name),
  );
  const { PATH, GIT_CONFIG_COUNT, ...kept } = Object.fromEntries(rest);
  t.regex(PATH ?? "", /:\/usr\/local\/bin:\/usr\/bin:\/bin$/);
  t.is(GIT_CONFIG_COUNT, "33");
  t.deepEqual(kept, {
    HOME: "/nonexistent",
    LC_ALL: "C.UTF-8",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "none",
    GIT_NO_REPLACE_OBJECTS: "1",
  });
});

function runGitWithInput(args: readonly string[], cwd: string, input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    // Trees that no git would make by itself are made all the same.
    const own = ["-c", "core.protectHFS=false", "-c", "core.protectNTFS=false"];
    const env = gitEnvironment();
    const child = execFile("git", [...own, ...args], { cwd, env }, (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    );
    // Git may end without reading what it does not need; its exit code tells what happened.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
