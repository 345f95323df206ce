import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { dockerEnv } from "../helpers/docker-platform.ts";
import { removeData } from "../helpers/platform.ts";
import { answering, stackOf } from "../helpers/repository.ts";
import { call, finalStatus, openRoad } from "../helpers/road.ts";
import { dockerMissing, startDocker, type TestDocker } from "../helpers/start-docker.ts";
import {
  type RegistryOptions,
  registryMissing,
  startRegistry,
  type TestRegistry,
} from "../helpers/start-registry.ts";
import { importTemplateBases } from "../helpers/template-bases.ts";
import { until } from "../helpers/until.ts";

const COULD_NOT_PUSH = /The image could not be pushed to 127\.0\.0\.1:\d+: /;
const BUILDS = z.array(z.object({ id: z.string(), state: z.string() }));
const findBuild = (text: string) => BUILDS.parse(JSON.parse(text)).at(0);

const missing = dockerMissing ?? registryMissing;
const registryTest = missing === undefined ? test.serial : test.serial.skip;
if (missing !== undefined) test.skip(`faults of a registry are not tested: ${missing}`, () => {});

const stops: (() => Promise<void>)[] = [];
let docker: TestDocker | undefined;

test.before(async () => {
  if (missing !== undefined) return;
  docker = await startDocker({ teardown: (stop) => stops.push(stop) });
  await importTemplateBases(docker);
});

test.after.always(async () => {
  for (const stop of stops.toReversed()) await stop();
});

registryTest(
  "a registry that is away fails no push that it comes back for; what serves goes on",
  async (t) => {
    const { platform, registry, push, ask } = await setUp(t);
    const first = await push("one");
    await registry.stop();
    const pushing = push("two");
    await until(
      async () => findBuild(await platform.ofc("builds", "--json"))?.state === "building",
    );
    const served = await ask();
    await registry.start();

    const second = await pushing;

    t.regex(first.output, /live in /, first.output);
    t.is(served, "one");
    t.regex(second.output, /live in /, second.output);
    t.is(await ask(), "two");
  },
);

const FAULTS = [
  { what: "stays away", options: {}, because: /connection refused/ },
  { what: "wants a login that is not there", options: { login: true }, because: /no basic auth/ },
];

for (const { what, options, because } of FAULTS)
  registryTest(
    `a push to a registry that ${what} ends as the platform's error, and its log names the step`,
    async (t) => {
      const { platform, registry, push, ask } = await setUp(t, options);
      if (what === "stays away") await registry.stop();

      const { output, sha } = await push("one");

      t.like(await finalStatus(t, platform, "alice", sha), { state: "error" });
      t.regex(output, /cart +failed while building after .*: the build broke off/, output);
      t.regex(output, COULD_NOT_PUSH, output);
      t.regex(output, because);
      t.regex(output, /failed after .*: gave up building cart: 5 attempts/, output);
      t.regex(output, /The platform is at fault, not the commit/, output);
      t.notRegex(await ask(), /one/);
    },
  );

registryTest(
  "a registry that has no room is told, and the push goes live once it has",
  async (t) => {
    const { platform, registry, push, ask } = await setUp(t, { roomMib: 8 });
    const pushing = push("one");
    const { id } = await until(async () => findBuild(await platform.ofc("builds", "--json")));
    await until(async () => COULD_NOT_PUSH.test(await platform.ofc("builds", "--id", id)), 300_000);

    await registry.grow(2_000);
    const { output, sha } = await pushing;

    t.regex(output, /cart +failed while building after .*: the build broke off/, output);
    t.regex(output, COULD_NOT_PUSH, output);
    t.regex(output, /live in /, output);
    t.like(await finalStatus(t, platform, "alice", sha), { state: "success" });
    t.is(await ask(), "one");
  },
);

/** A platform that pushes what it builds to a registry. */
async function setUp(t: ExecutionContext, options: RegistryOptions = {}) {
  t.timeout(400_000);
  if (docker === undefined) throw new Error("The file's dockerd did not start.");
  const env = dockerEnv(docker);
  const registry: TestRegistry = await startRegistry(t, options);
  const urls = { push_repository_url: registry.host, repository_url: registry.host };
  const road = await openRoad(
    {
      name: "registry",
      engine: "docker",
      prepare: async () => ({ ...env, ...urls }),
      listServing: async () => [],
    },
    t,
  );
  const { platform } = road;
  t.teardown(async () => {
    await platform.stop();
    await removeData(platform.dataFolder);
  });
  const { repository, url } = await road.owner(t, "alice", {});
  return {
    platform,
    registry,
    ask: () => call(platform, "alice-cart"),
    async push(text: string) {
      const files = { "stack.yml": stackOf({ cart: { lang: "node24" } }) };
      const sha = await repository.commit({ ...files, "cart/handler.js": answering(text) });
      return { ...(await repository.push(url)), sha };
    },
  };
}
