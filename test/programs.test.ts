import test from "ava";
import { findSecretsInArguments, findShellBreaches } from "./helpers/find-program-breaches.ts";
import { readSources } from "./helpers/sources.ts";

const CODE = ["*.ts", "*.js", "*.mjs", "*.cjs"];
/** Examples are what a user pushes; this test and its helper hold what they look for. */
const APART = /^examples\/|^test\/(programs\.test|helpers\/find-program-breaches)\.ts$/;

/** Names that tell of a secret where none is in an argument, and why. */
const NO_SECRET: Readonly<Record<string, string>> = {
  "functions/git-tar/run-git.ts credential": "its username alone; the password goes through a pipe",
  "functions/git-tar/fetch-commit.ts credential": "given to runGit, as above",
  "functions/git-tar/read-head.ts credential": "given to runGit, as above",
  "provider/process/replica.ts OPENFAAS_SECRETS": "a folder, in the function's environment",
  "provider/process/replica.ts secrets": "that folder's path",
};

test("no file starts a shell, a command line, or a program by more than spawn, execFile and fork", async (t) => {
  const found = (await readSources(CODE, APART)).flatMap(({ file, text }) =>
    findShellBreaches(text).map((breach) => `${file} ${breach}`),
  );

  t.deepEqual(found, []);
});

test("no argument of a program is named like a secret, but for those that are listed with a reason", async (t) => {
  const found = (await readSources(CODE, APART))
    .filter(({ file }) => !/\.test\.ts$|(^|\/)test-|^(test|bench)\//.test(file))
    .flatMap(({ file, text }) => findSecretsInArguments(text).map((name) => `${file} ${name}`));

  t.deepEqual(found.sort(), Object.keys(NO_SECRET).sort());
});

const SHELLS: readonly (readonly [string, string])[] = [
  ["exec", 'import { exec } from "node:child_process";'],
  ["exec beside others", 'import { spawn, exec as run } from "node:child_process";'],
  ["exec by its old name", 'import { execSync } from "child_process";'],
  ["all of it", 'import * as programs from "node:child_process";'],
  ["all of it, later", 'const { exec } = await import("node:child_process");'],
  ["all of it by require", "const { exec } = require('child_process');"],
  ["the option shell", 'spawn("git", args, { cwd, shell: true });'],
  ["a shell by name", 'spawn("git", args, { shell: "/bin/bash" });'],
  [
    "the option shell from a variable",
    "const options = { shell };\nspawn(file, [], { shell: isWindows });",
  ],
  ["a command line", "spawn(`git status ${path}`);"],
  ["a command line without variables", 'execFile("rm -rf /tmp/x");'],
  ["sh -c", 'spawn("sh", ["-c", command]);'],
  ["bash by its path", 'execFileSync("/bin/bash", ["-c", command]);'],
];
for (const [what, code] of SHELLS)
  test(`the house test sees ${what}`, (t) => {
    t.is(findShellBreaches(code).length, 1, code);
  });

test("what only speaks of shells is none", (t) => {
  const code = `import { type ChildProcess, execFile, fork, spawn } from "node:child_process";
    // exec("rm -rf") of "child_process" with shell: true
    const text = "shell: true"; const own = /exec\\("'/.exec(text);
    spawn(process.execPath, [\`\${folder}/a b\`], { cwd });
    spawn("git", ["log", "a b"]);`;

  t.deepEqual(findShellBreaches(code), []);
});

const SECRETS: readonly (readonly [string, string, readonly string[]])[] = [
  ["in a list", 'spawn("git", ["-c", `http.extraHeader=${authToken}`]);', ["authToken"]],
  ["beside a list", "execFile(file, withUrl(args, password), { env });", ["password"]],
  [
    "in a list put together before",
    "const pushArgs = [url, secret];\nspawn(file, pushArgs);",
    ["secret"],
  ],
  [
    "added to a list",
    "args.push(credential.password);\nspawn(file, args);",
    ["credential", "password"],
  ],
  [
    "in the arguments of a program",
    "const it = { file, args: [apiKey] };\nspawn(it.file, it.args);",
    ["apiKey"],
  ],
  ["in the environment", 'spawn("git", args, { env: { GIT_PASSWORD: password } });', []],
  ["in words", 'spawn("git", ["token", "secret"]); // password', []],
  ["where nothing is started", "const args = [token];\nreturn args;", []],
];
for (const [where, code, names] of SECRETS)
  test(`a name like a secret's ${where}: ${names.join(" and ") || "nothing"} is seen`, (t) => {
    t.deepEqual(findSecretsInArguments(code), names);
  });
