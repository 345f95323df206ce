import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { runOfc } from "../test/helpers/start-admin.ts";
import { COMMANDS } from "./command-table.ts";

async function emptyFolder(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const nameOf = (usage: string) => usage.split(" ")[0] ?? "";

test("help lists every command with its summary, on lines that fit a terminal", async (t) => {
  const { code, stdout } = await runOfc(["help"]);

  t.is(code, 0);
  for (const { usage, summary } of COMMANDS)
    t.true(stdout.replace(/\s+/g, " ").includes(`${usage} ${summary}`), usage);
  for (const line of stdout.split("\n")) t.true(line.length <= 88, line);
});

test("every command has an example that begins with its name, and a place for its data folder", async (t) => {
  for (const { usage, examples } of COMMANDS) {
    t.true(examples.length >= 1 && examples.length <= 2, usage);
    for (const [typed] of examples) t.is(nameOf(typed), nameOf(usage));
  }
  const { stdout } = await runOfc(["help", "token"]);
  t.regex(stdout, /Usage: ofc token \[options\] <owner>/);
  t.regex(stdout, /--data <dir>/);
  t.regex(stdout, /Examples:\n {2}\.\/ofc token alice {2}/);
});

for (const [args, said] of [
  [["nonsense"], /^ofc: unknown command 'nonsense'\n\.\/ofc help lists the commands\.\n$/],
  [["statsu"], /Did you mean status\?/],
  [["token"], /^ofc: missing required argument 'owner'\nExamples:\n {2}\.\/ofc token alice /],
  [["token", "a", "b"], /^ofc: too many arguments for 'token'/],
  [["up", "--port", "x"], /'x' is invalid\. Expected a number from 0 \(any free port\) to 65535\./],
  [["up", "--port", "65536"], /'65536' is invalid/],
  [["up", "--engine", "vm"], /Allowed choices are auto, process, docker/],
  [["builds", "--limit", "0"], /'0' is invalid\. Expected a whole number from 1 to 1000\./],
  [["queue", "--nix"], /^ofc: unknown option '--nix'\n(.*\n)*\.\/ofc help queue says more\.\n$/],
] as const) {
  test(`ofc ${args.join(" ")} is refused on stderr, with what to type instead`, async (t) => {
    const { code, stdout, stderr } = await runOfc(args);

    t.is(code, 1);
    t.is(stdout, "");
    t.regex(stderr, said);
  });
}

for (const line of ["status", "token alice", "logs alice-cart", "doctor"]) {
  test(`without a platform, ofc ${line} says how to start one`, async (t) => {
    const data = await emptyFolder(t);

    const { code, stdout, stderr } = await runOfc([...line.split(" "), "--data", data]);

    t.is(code, 1);
    t.is(stdout, "");
    t.is(
      stderr,
      `ofc ${nameOf(line)}: No platform runs on ${data}. Start one with: ./ofc up (or name its folder with --data DIR)\n`,
    );
  });
}

test("a remote is refused outside a repository and without a slash, before anything is asked", async (t) => {
  const folder = await emptyFolder(t);

  const outside = await runOfc(["remote", "alice/shop", "--data", folder], { cwd: folder });
  const slashless = await runOfc(["remote", "shop", "--data", folder], { cwd: folder });

  t.is(outside.stderr, "ofc remote: This folder is not in a Git repository; run git init first.\n");
  t.is(
    slashless.stderr,
    'ofc remote: "shop" is not <owner>/<repository>, for instance alice/shop.\n',
  );
});

test("up on a port in use says so and leaves nothing running", async (t) => {
  const port = await takePort(t);
  const data = await emptyFolder(t);

  const { code, stderr } = await runOfc([
    "up",
    "--port",
    port,
    "--data",
    data,
    "--engine",
    "process",
  ]);

  t.is(code, 1);
  t.true(
    stderr.includes(
      `ofc up: gateway: Port ${port} is in use; stop what listens there, or choose another with --port.\n`,
    ),
    stderr,
  );
});

test("an engine that is not there is refused by up in one sentence", async (t) => {
  const data = await emptyFolder(t);
  const env = { DOCKER_HOST: `unix://${data}/docker.sock` };

  const { code, stderr } = await runOfc(["up", "--engine", "docker", "--data", data], { env });

  t.is(code, 1);
  t.true(stderr.startsWith(`ofc up: No Docker answers at ${data}/docker.sock: install it`), stderr);
  t.regex(stderr, /path\/to\/docker\.sock: connect ENOENT \S+\n$/);
});

test("without Docker up says why it is not used, and what it takes", async (t) => {
  const data = await emptyFolder(t);
  const env = { DOCKER_HOST: "ssh://me:hunter2@far" };
  // A port in use ends it before anything is left running.
  const port = await takePort(t);

  const { stdout, stderr } = await runOfc(["up", "--port", port, "--data", data], { env });

  t.regex(
    stdout,
    /\nnot Docker: DOCKER_HOST is "ssh:\/\/…@far": functions run on this machine's own Docker only, .*\n/,
  );
  t.false(`${stdout}${stderr}`.includes("hunter2"));
  t.is(await readFile(join(data, "engine/kind"), "utf8"), "process\n");
});

async function takePort(t: ExecutionContext): Promise<string> {
  const taken = createServer().listen(0, "127.0.0.1");
  t.teardown(() => taken.close());
  await new Promise((resolve) => taken.once("listening", resolve));
  const address = taken.address();
  return String(typeof address === "object" && address !== null ? address.port : 0);
}
