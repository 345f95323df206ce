import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { dockerEnv } from "./helpers/docker-platform.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { dockerMissing, startDocker, type TestDocker } from "./helpers/start-docker.ts";
import { registryMissing, startRegistry, type TestRegistry } from "./helpers/start-registry.ts";

const missing = dockerMissing ?? registryMissing;
const baseTest = missing === undefined ? test.serial : test.serial.skip;
if (missing !== undefined) test.skip(`base images are not tested: ${missing}`, () => {});

const stops: (() => Promise<void>)[] = [];
let shared: { readonly docker: TestDocker; readonly registry: TestRegistry } | undefined;
const BUILDS = z.array(z.object({ id: z.string(), state: z.string() }));

test.before(async () => {
  if (missing !== undefined) return;
  const t = { teardown: (stop: () => Promise<void>) => stops.push(stop) };
  shared = { docker: await startDocker(t), registry: await startRegistry(t) };
  for (const text of ["one", "two"])
    await shared.docker.importBase(`ofc.test/base:${text}`, ["node"], { "etc/base": text });
});

test.after.always(async () => {
  for (const stop of stops.toReversed()) await stop();
});

baseTest(
  "a tag that moves in its registry is held, also by a platform that was killed, until the operator refreshes it",
  async (t) => {
    const { registry, platform, push, ask, lastLog, publish, start } = await setUp(t, "held");
    const base = `${registry.host}/base/held:1`;
    const one = await publish("one");
    await push({ Dockerfile: `FROM ${base}\n` });
    const log = await lastLog();
    t.is(await ask(), "one");
    const two = await publish("two");

    const unchanged = await push({ "../README.md": "words" });
    await push({ "more.txt": "a change" });
    const held = await ask();
    await platform.kill();
    const next = await start();
    const after = await push({ "../README.md": "more words" });
    const said = await next.ofc("bases", "--refresh");
    const moved = await push({ "../README.md": "and more" });
    const listed = await next.ofc("bases");

    t.true(one !== two);
    t.regex(log, new RegExp(`base ${base}: ${one}$`, "m"));
    t.regex(unchanged, /cart +unchanged/, unchanged);
    t.is(held, "one");
    t.regex(after, /cart +unchanged/, after);
    t.is(
      said,
      "1 base images are asked for anew by the next push that needs them; what has moved is built again then.\n",
    );
    t.regex(moved, /cart .*built/, moved);
    t.is(await ask(), "two");
    t.regex(await lastLog(), new RegExp(`base ${base}: ${two}$`, "m"));
    t.regex(listed, new RegExp(`^${base} +${two} `, "m"));
  },
);

baseTest("a tag is asked for again once base_image_refresh has passed", async (t) => {
  const { push, ask, publish } = await setUp(t, "aged", { base_image_refresh: "0" });
  await publish("one");
  await push({ Dockerfile: "ARG TAG=1\nFROM REGISTRY/base/aged:$TAG\n" });
  const before = await ask();
  await publish("two");

  const said = await push({ "../README.md": "words" });

  t.is(before, "one");
  t.regex(said, /cart .*built/, said);
  t.is(await ask(), "two");
});

baseTest("what is pinned is built on while the registry is away", async (t) => {
  const { registry, push, ask, publish, lastLog } = await setUp(t, "away");
  const one = await publish("one", "kept");
  await push({ Dockerfile: "FROM REGISTRY/base/away:1\n" });
  await registry.stop();
  t.teardown(() => registry.start());

  const said = await push({ "more.txt": "a change" });

  t.regex(said, /live in /, said);
  t.is(await ask(), "one");
  t.regex(await lastLog(), new RegExp(`base .*/base/away:1: ${one}$`, "m"));
});

baseTest(
  "an image of this machine alone is built on by its name, and one that took its place is noticed",
  async (t) => {
    const { docker, push, ask, lastLog } = await setUp(t, "local");
    const name = async (text: string) => {
      const image = docker.api.getImage(`ofc.test/base:${text}`);
      await image.tag({ repo: "ofc.test/local", tag: "1" });
      return (await image.inspect()).Id;
    };
    const one = await name("one");
    await push({ Dockerfile: "FROM ofc.test/local:1\n" });
    const log = await lastLog();
    const before = await ask();
    const two = await name("two");

    const refused = await push({ "more.txt": "a change" });
    const still = await ask();
    const again = await push({ "../README.md": "words" });

    t.regex(log, new RegExp(`base ofc.test/local:1: ${one}, an image of this machine`));
    t.deepEqual([before, still], ["one", "one"]);
    t.regex(
      refused.replaceAll(/\s+(?:remote:)?\s+/g, " "),
      new RegExp(`ofc.test/local:1 is ${two} by now; this push was planned on ${one}. Push again`),
    );
    t.regex(again, /cart .*built/, again);
    t.is(await ask(), "two");
  },
);

test("the process engine has no base images, and says so", async (t) => {
  t.timeout(120_000);
  const platform = await startPlatform();
  t.teardown(async () => {
    await platform.stop();
    await removeData(platform.dataFolder);
  });

  const refused = await t.throwsAsync(platform.ofc("bases", "--refresh"));

  t.regex(refused?.message ?? "", /builds without images; base images are the Docker engine's/);
});

/** A platform of its own whose function `cart` says which base it stands on; `name` is the base's. */
async function setUp(t: ExecutionContext, name: string, settings: Record<string, string> = {}) {
  t.timeout(300_000);
  if (shared === undefined) throw new Error("The file's dockerd did not start.");
  const { docker, registry } = shared;
  const env = {
    ...dockerEnv(docker),
    enable_dockerfile_lang: "true",
    build_base_images: `${registry.host}/base/, ofc.test/local`,
    ...settings,
  };
  let last = await startPlatform({ engine: "docker", env });
  const { dataFolder } = last;
  t.teardown(async () => {
    // Containers outlive their platform; where the push failed there is none.
    await last.ofc("remove", "alice-cart").catch(() => {});
    await last.stop();
    await removeData(dataFolder);
  });
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  await repository.commit({ "stack.yml": stackOf({ cart: { lang: "dockerfile" } }) });

  return {
    docker,
    registry,
    platform: last,
    async start(): Promise<RunningPlatform> {
      last = await startPlatform({ dataFolder, engine: "docker", env });
      return last;
    },
    /** Files of the function, or above it; what Git printed. */
    async push(files: Record<string, string>): Promise<string> {
      const { url } = JSON.parse(await last.ofc("token", "alice", "--json")) as { url: string };
      await repository.commit(
        Object.fromEntries(Object.entries(files).map(([path, text]) => toFile(path, text))),
      );
      return (await repository.push(`${url}/shop.git`)).output;
    },
    ask: async () => (await fetch(new URL("function/alice-cart", last.url))).text(),
    /** What happened in the newest build, its log among it. */
    async lastLog(): Promise<string> {
      const [newest] = BUILDS.parse(JSON.parse(await last.ofc("builds", "--json")));
      return last.ofc("builds", "--id", newest?.id ?? "");
    },
    /** Have the registry's tag name another image, which this machine's store only keeps when asked to. */
    async publish(text: string, keep?: "kept"): Promise<string> {
      const repo = `${registry.host}/base/${name}`;
      await docker.api.getImage(`ofc.test/base:${text}`).tag({ repo, tag: "1" });
      const image = docker.api.getImage(`${repo}:1`);
      await once((await image.push({ authconfig: {} })).resume(), "end");
      const { RepoDigests = [] } = await image.inspect();
      const own = RepoDigests.find((one) => one.startsWith(`${repo}@`)) ?? "";
      if (keep === undefined) {
        // With its last name here an image loses what its registry called it.
        await image.remove();
      }
      return own.replace(/^.*@/, "");
    },
  };

  /** REGISTRY stands for its address. */
  function toFile(path: string, text: string): [string, string] {
    const server = `require("http").createServer((_, answer) => answer.end(require("fs").readFileSync("/etc/base"))).listen(8080)`;
    const ending = `COPY . /cart/\nUSER 1000\nCMD ["node", "-e", ${JSON.stringify(server)}]\n`;
    if (path !== "Dockerfile")
      return [path.startsWith("../") ? path.slice(3) : `cart/${path}`, text];
    return ["cart/Dockerfile", text.replaceAll("REGISTRY", registry.host) + ending];
  }
}
