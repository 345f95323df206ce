import { request } from "node:http";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { dockerEnv, listContainers } from "./helpers/docker-platform.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { readAuthorization } from "./helpers/secrets-api.ts";
import { dockerMissing, startDocker } from "./helpers/start-docker.ts";
import { until } from "./helpers/until.ts";

test("each version answers at an address of its own, with its own environment, whatever serves", async (t) => {
  const { platform, push, ask } = await setUp(t);
  const [one, two, three] = [await push("one"), await push("two"), await push("three")];

  const listed = await platform.ofc("versions", "alice-cart");
  const answers = await Promise.all([one, two, three].map((sha) => ask(`alice-cart--${sha}`)));
  const pretty = await askHost(platform, "alice.localhost", `/cart--${one}/items`);
  const live = await ask("alice-cart");

  t.deepEqual(answers.map(textOf), ["one ONE /", "two TWO /", "three THREE /"]);
  t.is(textOf(pretty), "one ONE /items");
  t.is(answers[2]?.text, live.text, "the version that serves has no copy of its own");
  for (const sha of [one, two, three])
    t.regex(listed, new RegExp(`^${sha} .* ${platform.url}function/alice-cart--${sha}$`, "m"));
});

test("versions wake for many calls at once, sleep when nobody calls, and are no functions of their owner", async (t) => {
  const { platform, push, ask } = await setUp(t, { version_idle_timeout: "8s" });
  const one = await push("one");
  await push("two");
  const address = `alice-cart--${one}`;
  const events = (event: string) =>
    platform.log.filter((line) => line.event === event && line.function === address).length;

  const first = await Promise.all(Array.from({ length: 1_000 }, () => ask(address)));
  const status = await platform.ofc("status", "--json");
  await until(() => events("version-asleep") === 1);
  const second = await ask(address);

  t.deepEqual(new Set(first.map(textOf)), new Set(["one ONE /"]));
  t.is(new Set(first.map(({ text }) => text)).size, 1, "one replica");
  t.is(textOf(second), "one ONE /");
  t.not(second.text, first[0]?.text, "another replica");
  t.is(events("version-woken"), 2);
  t.deepEqual(FUNCTIONS.parse(JSON.parse(status)).functions, [{ name: "alice-cart" }]);
});

test("no call of a version fails while others take its place, and queued calls and a new gateway wake it too", async (t) => {
  const { platform, push, ask } = await setUp(t, { version_idle_timeout: "8s" });
  const address = `alice-cart--${await push("one")}`;
  const sha = address.slice("alice-cart--".length);
  const asleep = () => count("version-asleep");
  const count = (event: string) =>
    platform.log.filter((line) => line.event === event && line.function === address).length;

  const load = startLoad(() => ask(address));
  for (const text of ["two", "three"]) await push(text);
  await platform.ofc("rollback", "alice-cart", sha);
  await push("four");
  const answers = await load.stop();
  await until(() => asleep() > 0);
  const woken = count("version-woken");
  const queued = await fetch(new URL(`async-function/${address}`, platform.url), {
    method: "POST",
  });
  await until(() => count("version-woken") > woken);
  const gateway = platform.log.find(({ event }) => event === "gateway-started")?.pid;
  process.kill(Number(gateway), "SIGKILL");
  await until(() => platform.log.some(({ event }) => event === "gateway-restarted"));
  const after = await until(async () => {
    const answer = await ask(address).catch(() => undefined);
    return answer?.status === 200 && answer;
  });

  t.true(answers.length > 20, `${answers.length} calls`);
  t.deepEqual(new Set(answers.map(textOf)), new Set(["one ONE /"]));
  t.is(queued.status, 202);
  t.is(textOf(after), "one ONE /");
});

test("a roll-back, a redeploy and a restart change no address; what is too old has none, nor what was removed", async (t) => {
  const { platform, push, ask, restart } = await setUp(t, { keep_releases: "3" });
  const shas = [await push("one"), await push("two"), await push("three"), await push("four")];
  const askAll = (at?: RunningPlatform) =>
    Promise.all(shas.map(async (sha) => textOf(await ask(`alice-cart--${sha}`, at))));
  const gone = `No such function: alice-cart--${shas[0]}.\n`;
  const kept = [gone, "two TWO /", "three THREE /", "four FOUR /"];

  const pushed = await askAll();
  await platform.ofc("rollback", "alice-cart", shas[1] ?? "");
  const back = [textOf(await ask("alice-cart")), ...(await askAll())];
  const next = await restart();
  const restarted = [textOf(await ask("alice-cart", next)), ...(await askAll(next))];
  await next.ofc("remove", "alice-cart");
  const isGone = async () => (await askAll(next)).every((text) => /^No such function: /.test(text));

  t.deepEqual(pushed, kept);
  t.deepEqual(back, ["two TWO /", ...kept]);
  t.deepEqual(restarted, ["two TWO /", ...kept]);
  t.true(await until(isGone));
});

test("a version is there for its owner's host alone, and no push can take its name", async (t) => {
  const { platform, push, ask, pushFunction } = await setUp(t);
  const one = await push("one");
  await push("two");
  const taken = await pushFunction(`cart--${one}`);

  const bob = await askHost(platform, "bob.localhost", `/cart--${one}`);
  const al = await askHost(platform, "al.localhost", `/ice-cart--${one}`);
  const unknown = await ask("alice-cart--0000000");
  const signed = await askHost(platform, "127.0.0.1", "/function/alice-cart--0000000", {
    authorization: await readAuthorization(platform),
  });

  t.regex(taken, /function "cart--[0-9a-f]{7}": "--" is kept for versions/);
  t.is(bob.text, `No such function: bob-cart--${one}.\n`);
  t.is(al.text, `No such function: al-ice-cart--${one}.\n`);
  t.is(unknown.text, "No such function: alice-cart--0000000.\n");
  t.regex(signed.text, new RegExp(`"alice-cart" has no version "0000000": kept are .*${one}`));
  t.is(textOf(await ask(`alice-cart--${one}`)), "one ONE /");
});

const dockerTest = dockerMissing === undefined ? test : test.skip;
if (dockerMissing !== undefined)
  test.skip(`versions on Docker are not tested: ${dockerMissing}`, () => {});

dockerTest(
  "on Docker a version has a container while it is called, and none after a crash of the platform",
  async (t) => {
    const docker = await startDocker(t);
    await docker.importBase("node:24-alpine", ["node", "npm"]);
    const env = { ...dockerEnv(docker), version_idle_timeout: "15s" };
    const { platform, push, ask, restart } = await setUp(t, env, "docker");
    const services = async () =>
      (await listContainers(docker, platform.dataFolder)).map(({ service }) => service);
    const [one, two] = [await push("one"), await push("two")];
    const address = `alice-cart--${one}`;
    await until(async () => (await services()).length === 1);

    const first = await Promise.all(Array.from({ length: 50 }, () => ask(address)));
    const awake = await services();
    await until(async () => (await services()).length === 1);
    const second = await ask(address);
    const next = await restart("kill");
    const left = await services();
    const third = await ask(address, next);
    const live = await ask(`alice-cart--${two}`, next);

    t.deepEqual(new Set(first.map(textOf)), new Set(["one ONE /"]));
    t.deepEqual(awake, ["alice-cart", address]);
    t.deepEqual([second, third, live].map(textOf), ["one ONE /", "one ONE /", "two TWO /"]);
    t.deepEqual(left, ["alice-cart"]);
    t.not(third.text, second.text);
  },
);

type Answer = { readonly status: number; readonly text: string };

const FUNCTIONS = z.object({ functions: z.array(z.object({ name: z.string() })) });

/** Without who answered. */
function textOf({ text }: Answer): string {
  return text.replace(/ [-0-9a-f]{36}$/, "");
}

async function setUp(
  t: ExecutionContext,
  env: Record<string, string> = {},
  engine: "process" | "docker" = "process",
) {
  t.timeout(engine === "docker" ? 480_000 : 240_000);
  const platform = await startPlatform({ env, engine });
  const { dataFolder } = platform;
  let last = platform;
  t.teardown(async () => {
    await last.stop();
    await removeData(dataFolder);
  });
  const [shop, other] = [await makeRepository(), await makeRepository()];
  t.teardown(() => Promise.all([shop, other].map(removeRepository)));
  const { url } = JSON.parse(await platform.ofc("token", "alice", "--json")) as { url: string };
  const ask = (service: string, at: RunningPlatform = platform) =>
    askHost(at, "127.0.0.1", `/function/${service}`);

  return {
    platform,
    ask,
    async restart(how: "stop" | "kill" = "stop"): Promise<RunningPlatform> {
      await platform[how]();
      last = await startPlatform({ dataFolder, env, engine });
      return last;
    },
    /** A commit whose function answers the text, its environment, what it was asked and who answers. */
    async push(text: string): Promise<string> {
      const extra = `    environment:\n      loud: ${text.toUpperCase()}\n`;
      const commit = await shop.commit({
        "stack.yml": stackOf({ cart: { lang: "node24", extra } }),
        "cart/handler.js": `const who = require("node:crypto").randomUUID();
          module.exports = async ({ path }, context) =>
            context.status(200).succeed(\`${text} \${process.env.loud} \${path} \${who}\`);\n`,
      });
      const { output } = await shop.push(`${url}/shop.git`);
      t.regex(output, /live in /, output);
      const sha = commit.slice(0, 7);
      const address = `${platform.url}function/alice-cart--${sha}`;
      t.true(output.includes(`remote:   this version stays at ${address}`), output);
      await until(async () => (await ask(`alice-cart--${sha}`)).status === 200);
      return sha;
    },
    /** What Git says to a push of a function by that name from another repository. */
    async pushFunction(name: string): Promise<string> {
      await other.commit({
        "stack.yml": stackOf({ [name]: { lang: "node24" } }),
        [`${name}/handler.js`]: "module.exports = async () => {};\n",
      });
      return (await other.push(`${url}/other.git`)).output;
    },
  };
}

/** Four callers, each with one call after the other. */
function startLoad(ask: () => Promise<Answer>) {
  const answers: Answer[] = [];
  let isOver = false;
  const callers = Array.from({ length: 4 }, async () => {
    while (!isOver) answers.push(await ask());
  });
  return {
    async stop(): Promise<readonly Answer[]> {
      isOver = true;
      await Promise.all(callers);
      return answers;
    },
  };
}

/** Names below `localhost` are not everywhere resolved, so the host is said in the header alone. */
function askHost(
  { url }: RunningPlatform,
  host: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { headers: { ...headers, host }, agent: false };
    const sent = request(new URL(path, url), options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", reject);
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}
