import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { runOfc, startAdmin } from "../../test/helpers/start-admin.ts";
import { storeCredential } from "./store-credential.ts";

const run = promisify(execFile);
const url = new URL("http://127.0.0.1:8080/git/alice/shop.git");

/** A repository whose path needs quoting, and a user whose own helper answers everything. */
async function setUp(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "it's a $repo "));
  t.teardown(() => rm(folder, { recursive: true }));
  const GIT_CONFIG_GLOBAL = join(folder, "user.gitconfig");
  await writeFile(
    GIT_CONFIG_GLOBAL,
    '[credential]\n\thelper = "!echo username=mallory; echo password=own #"\n',
  );
  const env = { ...process.env, GIT_CONFIG_GLOBAL, GIT_TERMINAL_PROMPT: "0" };
  await run("git", ["init", "--quiet", folder]);

  return {
    folder,
    git: join(folder, ".git"),
    /** What git would send to a host. */
    async fill(host: string): Promise<string> {
      const child = spawn("git", ["-C", folder, "credential", "fill"], { env });
      child.stdin.end(`protocol=http\nhost=${host}\n\n`);
      return text(child.stdout);
    },
  };
}

test("git finds the token for this platform, before the user's own helpers, and for no other host", async (t) => {
  const { git, fill } = await setUp(t);

  await storeCredential(git, url, { owner: "alice", token: "ofc_1" });

  t.regex(await fill("127.0.0.1:8080"), /username=alice\npassword=ofc_1\n/);
  t.regex(await fill("127.0.0.1:9000"), /username=mallory\npassword=own\n/);
});

test("a further token takes the place of the first", async (t) => {
  const { git, fill } = await setUp(t);
  await storeCredential(git, url, { owner: "alice", token: "ofc_1" });

  await storeCredential(git, url, { owner: "alice", token: "ofc_2" });

  t.regex(await fill("127.0.0.1:8080"), /password=ofc_2\n/);
  const { stdout } = await run("git", ["--git-dir", git, "config", "--local", "--list"]);
  t.is(stdout.match(/^credential\./gm)?.length, 2);
});

test("the token is in a file for this user alone, and not in git's configuration", async (t) => {
  const { git } = await setUp(t);

  await storeCredential(git, url, { owner: "alice", token: "ofc_1" });

  t.is(((await stat(join(git, "ofc-credentials"))).mode & 0o777).toString(8), "600");
  t.false((await readFile(join(git, "config"), "utf8")).includes("ofc_1"));
});

test("ofc remote adds a remote without a token in it, and sets it anew the second time", async (t) => {
  const { folder, fill } = await setUp(t);
  const { dataFolder } = await startAdmin(t);
  const remotes = async () => (await run("git", ["-C", folder, "remote", "-v"])).stdout;

  const added = await runOfc(["remote", "alice/shop", "--data", dataFolder], { cwd: folder });
  const changed = await runOfc(["remote", "alice/other", "--data", dataFolder], { cwd: folder });

  t.is(
    added.stdout,
    'Remote "ofc" is http://127.0.0.1:8080/git/alice/shop.git\n  git push ofc HEAD:main\n',
  );
  t.is(changed.code, 0, changed.stderr);
  t.regex(
    await remotes(),
    /^ofc\thttp:\/\/127\.0\.0\.1:8080\/git\/alice\/other\.git \(fetch\)\nofc\t.* \(push\)\n$/,
  );
  t.regex(await fill("127.0.0.1:8080"), /username=alice\npassword=ofc_/);
});
