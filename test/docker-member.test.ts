import { execFile, spawnSync } from "node:child_process";
import { chmod, chown, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { removeRules } from "#provider/docker/test-kit.ts";
import { openSystem } from "./faults/open-system.ts";
import { readPlatformId } from "./helpers/docker-platform.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { dockerMissing, startDocker, type TestDocker } from "./helpers/start-docker.ts";
import { importTemplateBases } from "./helpers/template-bases.ts";

const run = promisify(execFile);
/** An ordinary user, and the group that dockerd's socket is of. */
const USER = "61999";
const GROUP = "61998";
/** With the umask of hardened machines. */
const AS_MEMBER = [
  ...["setpriv", "--reuid", USER, "--regid", USER, "--groups", `${USER},${GROUP}`],
  ...["sh", "-c", 'umask 077 && exec "$@"', "sh"],
];
/** Answers its secret. */
const HANDLER = `
const { readFileSync } = require("node:fs");
module.exports = async (event, context) =>
  context.status(200).succeed(readFileSync("/var/openfaas/secrets/alice-token", "utf8"));
`;

const missing = dockerMissing ?? findMissing();
const memberTest = missing === undefined ? test : test.skip;
if (missing !== undefined)
  test.skip(`a member of the group docker as operator is not tested: ${missing}`, () => {});

memberTest(
  "a member of the group docker gets the same as root: images, containers, rules, secrets",
  async (t) => {
    const docker = await startForMembers(t);
    const { start, platform, dataFolder } = await setUp(t, docker);
    const { ask, push } = await openShop(t, platform);
    await (await openSystem({ ...platform })).createSecret("alice-token", "of alice");

    const pushed = await push();
    const first = await ask(platform);
    const rules = await listRules(dataFolder);
    await platform.stop();
    const left = await listRules(dataFolder);
    const again = await ask(await start());

    t.regex(pushed, /live in /, pushed);
    t.deepEqual([first, again], ["of alice", "of alice"]);
    t.regex(platform.words.join("\n"), /\nengine +docker, containers without .*, egress internet/);
    t.regex(
      platform.words.join("\n"),
      /; memory and processes of a RUN are not limited: root can do that; RUN reaches the internet, /,
    );
    t.deepEqual([rules.includes("-RUN-FW"), left.includes("-RUN-FW")], [true, false]);
    t.deepEqual([rules.includes("-FW"), left.includes("-FW")], [true, true]);
    t.deepEqual(
      platform.log.filter(({ level }) => level === "error"),
      [],
    );
  },
);

memberTest(
  "whoever is no member is told how to become one, and gets the process engine",
  async (t) => {
    const docker = await startForMembers(t);
    const { platform } = await setUp(t, docker, [
      "setpriv",
      "--reuid",
      USER,
      "--regid",
      USER,
      "--clear-groups",
    ]);

    t.regex(
      platform.words.join("\n"),
      /\nnot Docker: Docker's socket \S+ may not be used by this user: add it to the group docker \(.*\n/,
    );
    t.regex(platform.words.join("\n"), /\nengine +process, /);
  },
);

function findMissing(): string | undefined {
  const readable = spawnSync("setpriv", [
    ...["--reuid", USER, "--regid", USER, "--clear-groups"],
    ...[process.execPath, "--check", join(import.meta.dirname, "helpers/has-program.ts")],
  ]);
  if (readable.error !== undefined) return "setpriv is not installed (apt-get install util-linux)";
  return readable.status === 0 ? undefined : "another user cannot read this folder";
}

/** Its socket is as the package makes it: of root and a group. */
async function startForMembers(t: ExecutionContext): Promise<TestDocker> {
  const docker = await startDocker(t);
  await importTemplateBases(docker);
  await chmod(dirname(docker.socketPath), 0o711);
  await chown(docker.socketPath, 0, Number(GROUP));
  return docker;
}

async function setUp(
  t: ExecutionContext,
  { socketPath }: TestDocker,
  as: readonly string[] = AS_MEMBER,
) {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-member-"));
  await chown(dataFolder, Number(USER), Number(USER));
  t.teardown(() => removeData(dataFolder));
  const env = { DOCKER_HOST: `unix://${socketPath}`, HOME: dataFolder };
  let last: RunningPlatform | undefined;
  t.teardown(async () => {
    const id = await readPlatformId(dataFolder).catch(() => "none");
    await last?.stop();
    await removeRules(`OFC-${id}-`);
  });
  const start = async () => {
    last = await startPlatform({ dataFolder, engine: "auto", env, as });
    return last;
  };
  return { start, platform: await start(), dataFolder };
}

async function openShop(t: ExecutionContext, platform: RunningPlatform) {
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  const extra = "    secrets: [token]\n";
  await repository.commit({
    "stack.yml": stackOf({ cart: { lang: "node24", extra } }),
    "cart/handler.js": HANDLER,
  });
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  return {
    push: async () => (await repository.push(`${url}/shop.git`)).output,
    ask: async (at: RunningPlatform) =>
      (await fetch(new URL("function/alice-cart", at.url))).text(),
  };
}

/** What this data folder's chains are called, behind its id. */
async function listRules(dataFolder: string): Promise<string[]> {
  const { stdout } = await run("iptables", ["--wait", "-S"]);
  const id = await readPlatformId(dataFolder);
  return [...stdout.matchAll(new RegExp(`^-N OFC-${id}(\\S+)$`, "gm"))].map(
    ([, name = ""]) => name,
  );
}
