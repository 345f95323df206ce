import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { dockerEnv } from "./helpers/docker-platform.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { changeSecret } from "./helpers/secrets-api.ts";
import { dockerMissing, startDocker } from "./helpers/start-docker.ts";
import { until } from "./helpers/until.ts";

const FIRST = "canary-first-6d0c41";
const SECOND = "canary-second-93b7aa";

test.serial(
  "an earlier version comes back with its secrets of then, and the next change brings those of now",
  async (t) => {
    const { platform, push, ask } = await setUp(t);
    const { one, two } = await pushTwo(platform, push);

    const said = await platform.ofc("rollback", "alice-cart", "--with-secrets");
    const back = [await ask("alice-cart"), await ask("alice-pay")];
    const listed = await platform.ofc("versions", "alice-cart");
    const [, versions] = [
      listed,
      JSON.parse(await platform.ofc("versions", "alice-cart", "--json")),
    ];
    const status = await platform.ofc("status");
    const { functions } = STATUS.parse(JSON.parse(await platform.ofc("status", "--json")));
    await push("two", { "README.md": "more words" });
    const stayed = await ask("alice-cart");
    await push("three");

    t.is(
      said,
      `alice-cart serves ${one} again instead of ${two}, with the values that alice-key had then; it stays there until a push changes the function.\n`,
    );
    t.deepEqual(back, [`one ${FIRST}`, `pay ${SECOND}`]);
    const words =
      /^alice-cart serves with earlier values of alice-key, until a push changes it or they are updated\.$/m;
    for (const text of [listed, status]) t.regex(text, words);
    t.deepEqual(VERSIONS.parse(versions)[0], { state: "serving", earlierSecrets: ["alice-key"] });
    t.deepEqual(functions, [
      { name: "alice-cart", earlierSecrets: ["alice-key"] },
      { name: "alice-pay" },
    ]);
    t.deepEqual([stayed, await ask("alice-cart")], [`one ${FIRST}`, `three ${SECOND}`]);
    await neverTold(t, platform);
  },
);

test.serial(
  "an update of the secret reaches what serves with an earlier value, and earlier ones can be forgotten",
  async (t) => {
    const { platform, push, ask } = await setUp(t);
    const { one, two } = await pushTwo(platform, push);
    const earlier = join(platform.dataFolder, "engine/secrets-earlier");
    const files = async () => (await readdir(earlier, { recursive: true })).length;
    await platform.ofc("rollback", "alice-cart", "--with-secrets");
    const modes = await modesBelow(earlier);

    await changeSecret(platform, "PUT", { name: "alice-key", value: "third" });
    const updated = await ask("alice-cart");
    const held = await files();
    const said = await platform.ofc("forget", "alice-key");
    const left = await files();
    const refused = await t.throwsAsync(
      platform.ofc("rollback", "alice-cart", two, "--with-secrets"),
    );
    await platform.ofc("rollback", "alice-cart", two);

    t.is(updated, "one third");
    t.true(held > 0);
    t.is(left, 0);
    t.deepEqual(modes, new Set(["40700", "100600"]));
    t.is(
      said,
      'The earlier values of secret "alice-key" are gone; its functions have that of now.\n',
    );
    t.regex(refused?.message ?? "", /"alice-cart" cannot have the earlier values of "alice-key"/);
    t.regex(refused?.message ?? "", /without --with-secrets it goes back with the values of now/);
    t.is(await ask("alice-cart"), "two third");
    t.not(one, two);
  },
);

test.serial(
  "the commit that serves can be had with its earlier secrets and again with those of now",
  async (t) => {
    const { platform, push, ask } = await setUp(t);
    const { one } = await pushTwo(platform, push);
    const answers: string[] = [];

    for (const args of [[one], [one, "--with-secrets"], [one]]) {
      await platform.ofc("rollback", "alice-cart", ...args);
      answers.push(await ask("alice-cart"));
    }
    const again = await t.throwsAsync(platform.ofc("rollback", "alice-cart", one));

    t.deepEqual(answers, [`one ${SECOND}`, `one ${FIRST}`, `one ${SECOND}`]);
    t.regex(again?.message ?? "", /has no other version of commit/);
  },
);

test.serial(
  "values of a secret that was removed are gone for good, as are those of a version that was",
  async (t) => {
    const { platform, push, ask } = await setUp(t);
    const { one } = await pushTwo(platform, push);
    const earlier = join(platform.dataFolder, "engine/secrets-earlier");
    const kept = (await readdir(earlier)).length;
    const refused = async (...args: string[]) =>
      (await t.throwsAsync(platform.ofc("rollback", "alice-cart", ...args)))?.message ?? "";

    await platform.ofc("remove", `alice-cart--${one}`);
    await until(async () => (await readdir(earlier)).length === 0);
    const three = await push("three");
    await changeSecret(platform, "PUT", { name: "alice-key", value: "third" });
    await push("four");
    await changeSecret(platform, "DELETE", { name: "alice-key" });
    const left = await readdir(earlier);
    await changeSecret(platform, "POST", { name: "alice-key", value: "fourth" });
    const removed = await refused(three, "--with-secrets");
    await platform.ofc("rollback", "alice-cart", three);

    t.is(kept, 1);
    t.deepEqual(left, []);
    t.regex(removed, /cannot have the earlier values of "alice-key"/);
    t.is(await ask("alice-cart"), "three fourth");
  },
);

for (const point of ["declareRollback:after", "markRelease:before"]) {
  test.serial(
    `a roll-back with secrets whose platform dies at ${point} ends with them`,
    async (t) => {
      const { platform, push, ask, start } = await setUp(t);
      await pushTwo(platform, push);
      await platform.stop();
      const doomed = await start({ OFC_FAULT: point });
      await t.throwsAsync(doomed.ofc("rollback", "alice-cart", "--with-secrets"));

      const next = await start();

      await until(async () =>
        /^\w+ +serving .* roll-back +http/m.test(await next.ofc("versions", "alice-cart")),
      );
      t.is(await ask("alice-cart", next), `one ${FIRST}`);
      t.regex(await next.ofc("status"), /alice-cart serves with earlier values of alice-key/);
    },
  );
}

test.serial("a backup holds the earlier values, also of what serves with them", async (t) => {
  const { platform, push, ask, start } = await setUp(t);
  const { two } = await pushTwo(platform, push);
  await platform.ofc("rollback", "alice-cart", "--with-secrets");
  const folder = await mkdtemp(join(tmpdir(), "ofc-backup-"));
  t.teardown(() => removeData(folder));
  const file = join(folder, "backup.tar.zst");

  await platform.ofc("backup", file);
  await platform.stop();
  await platform.ofc("restore", file, "--data", join(folder, "there"));
  const next = await start({}, join(folder, "there"));
  const restored = await ask("alice-cart", next);
  await next.ofc("rollback", "alice-cart", two);
  const forward = await ask("alice-cart", next);
  await next.ofc("rollback", "alice-cart", "--with-secrets");

  t.deepEqual([restored, forward], [`one ${FIRST}`, `two ${SECOND}`]);
  t.is(await ask("alice-cart", next), `one ${FIRST}`);
});

const dockerTest = dockerMissing === undefined ? test.serial : test.skip;
if (dockerMissing !== undefined)
  test.skip(`roll-backs with secrets on Docker are not tested: ${dockerMissing}`, () => {});

dockerTest(
  "on Docker the earlier secrets outlive a crash of the platform, in the same container",
  async (t) => {
    const docker = await startDocker(t);
    await docker.importBase("node:24-alpine", ["node", "npm"]);
    const { platform, push, ask, start } = await setUp(t, dockerEnv(docker), "docker");
    await pushTwo(platform, push);

    await platform.ofc("rollback", "alice-cart", "--with-secrets");
    const before = await ask("alice-cart", platform, "/who");
    await platform.kill();
    const next = await start();
    const after = await ask("alice-cart", next, "/who");
    const secret = await ask("alice-cart", next);
    await changeSecret(next, "PUT", { name: "alice-key", value: "third" });

    t.is(after, before);
    t.is(secret, `one ${FIRST}`);
    t.is(await ask("alice-cart", next), "one third");
  },
);

type SetUp = Awaited<ReturnType<typeof setUp>>;

const STATUS = z.object({
  functions: z.array(
    z.object({ name: z.string(), earlierSecrets: z.array(z.string()).exactOptional() }),
  ),
});
const VERSIONS = z.array(
  z.object({ state: z.string(), earlierSecrets: z.array(z.string()).exactOptional() }),
);

/** The first served with FIRST until the end, the second serves with SECOND. */
async function pushTwo(platform: RunningPlatform, push: SetUp["push"]) {
  await changeSecret(platform, "POST", { name: "alice-key", value: "too early" });
  const one = await push("one");
  await changeSecret(platform, "PUT", { name: "alice-key", value: FIRST });
  const two = await push("two");
  await changeSecret(platform, "PUT", { name: "alice-key", value: SECOND });
  return { one, two };
}

/** Both functions answer a text and their secret; at `/who` who answers. */
function handlerOf(text: string): string {
  return `const { readFileSync } = require("node:fs");
    const folder = process.env.OPENFAAS_SECRETS ?? "/var/openfaas/secrets";
    const who = require("node:crypto").randomUUID();
    module.exports = async ({ path }, context) => context.status(200).succeed(
      path === "/who" ? who : "${text} " + readFileSync(folder + "/alice-key", "utf8"));\n`;
}

async function setUp(
  t: ExecutionContext,
  env: Record<string, string> = {},
  engine: "process" | "docker" = "process",
) {
  t.timeout(engine === "docker" ? 480_000 : 240_000);
  const platform = await startPlatform({ env, engine });
  const { dataFolder } = platform;
  t.teardown(() => removeData(dataFolder));
  t.teardown(() => platform.stop());
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  const extra = "    secrets: [key]\n";
  const functions = { cart: { lang: "node24", extra }, pay: { lang: "node24", extra } };
  return {
    platform,
    async start(more: Record<string, string> = {}, folder = dataFolder): Promise<RunningPlatform> {
      const next = await startPlatform({ dataFolder: folder, env: { ...env, ...more }, engine });
      t.teardown(() => next.stop());
      return next;
    },
    /** A commit whose function cart answers the text; 7 hex digits. */
    async push(text: string, files: Record<string, string> = {}): Promise<string> {
      const sha = await repository.commit({
        "stack.yml": stackOf(functions),
        "cart/handler.js": handlerOf(text),
        "pay/handler.js": handlerOf("pay"),
        ...files,
      });
      const { output } = await repository.push(`${url}/shop.git`);
      t.regex(output, /live in /, output);
      return sha.slice(0, 7);
    },
    async ask(service: string, at: RunningPlatform = platform, path = "/"): Promise<string> {
      return (await fetch(new URL(`function/${service}${path}`, at.url))).text();
    },
  };
}

/** `40700`: a folder for its user alone. */
async function modesBelow(folder: string): Promise<ReadonlySet<string>> {
  const paths = [folder];
  for (const name of await readdir(folder, { recursive: true })) paths.push(join(folder, name));
  const stats = await Promise.all(paths.map((path) => stat(path)));
  return new Set(stats.map(({ mode }) => mode.toString(8)));
}

/** Not by a log, an answer of the API, or what the platform records beside the secrets. */
async function neverTold(t: ExecutionContext, platform: RunningPlatform): Promise<void> {
  const { dataFolder, log, words } = platform;
  const records = await readdir(join(dataFolder, "engine/functions"));
  const texts = [
    JSON.stringify([log, words]),
    await platform.ofc("status", "--json"),
    await platform.ofc("versions", "alice-cart", "--json"),
    await readFile(join(dataFolder, "ledger.db"), "latin1"),
    ...(await Promise.all(
      records.map((name) => readFile(join(dataFolder, "engine/functions", name), "utf8")),
    )),
  ];
  for (const secret of [FIRST, SECOND]) t.false(texts.some((text) => text.includes(secret)));
}
