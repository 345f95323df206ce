import { isDeepStrictEqual } from "node:util";
import test, { type ExecutionContext } from "ava";
import { dockerEnv } from "./helpers/docker-platform.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { finalStatus } from "./helpers/road.ts";
import { dockerMissing, startDocker, type TestDocker } from "./helpers/start-docker.ts";
import { until } from "./helpers/until.ts";

const dockerTest = dockerMissing === undefined ? test.serial : test.serial.skip;
if (dockerMissing !== undefined)
  test.skip(`the road on Docker is not tested: ${dockerMissing}`, () => {});

const stops: (() => Promise<void>)[] = [];
let docker: TestDocker | undefined;

test.before(async () => {
  if (dockerMissing !== undefined) return;
  docker = await startDocker({ teardown: (stop) => stops.push(stop) });
  await docker.importBase("node:24-alpine", ["node", "npm"]);
});

test.after.always(async () => {
  for (const stop of stops.toReversed()) await stop();
});

dockerTest(
  "a repository's own Dockerfile is built, and one that fails tells its step",
  async (t) => {
    const { platform, push, ask } = await setUp(t, "dockerfile");

    const good = await push("own");
    const answer = await ask(platform);
    const bad = await push("broken", { "cart/Dockerfile": "FROM node:24-alpine\nRUN false\n" });

    t.regex(good, /live in /, good);
    t.is(answer, "own");
    t.regex(
      bad,
      /cart +failed while building after .*: Step ".*RUN false" failed: .*RUN has no network here/,
      bad,
    );
    t.is(await ask(platform), "own");
  },
);

const SICK = [
  { what: "that listens nowhere", cmd: '["sleep", "10000"]', because: /nothing listens|port 8080/ },
  { what: "that ends at once", cmd: '["sh", "-c", "echo no tea >&2; exit 3"]', because: /code 3/ },
];

for (const { what, cmd, because } of SICK)
  dockerTest(
    `an image ${what} fails the push with the step and the reason, and leaves what served alone`,
    async (t) => {
      const { platform, push, ask, head } = await setUp(t, "dockerfile");
      await push("own");
      const before = await listContainers();

      const sick = `FROM node:24-alpine\nUSER 1000\nCMD ${cmd}\n`;
      const said = await push("sick", { "cart/Dockerfile": sick });

      t.regex(said, /cart +failed while starting.*: .*did not become healthy: /, said);
      t.regex(said, because, said);
      t.like(await finalStatus(t, platform, "alice", await head()), { state: "failure" });
      t.is(await ask(platform), "own");
      await until(async () => isDeepStrictEqual(await listContainers("all"), before));
    },
  );

dockerTest(
  "functions serve on while the platform is killed and started again, also for the next push",
  async (t) => {
    const { platform, push, ask, again } = await setUp(t);
    await push("one");
    const [before] = await listContainers();

    await platform.kill();
    const [during] = await listContainers();
    const next = await again();
    const served = await ask(next);
    const [after] = await listContainers();

    t.deepEqual([during, after], [before, before]);
    t.is(served, "one");
    t.regex(await push("two", {}, next), /live in /);
    t.is(await ask(next), "two");
  },
);

/** A platform of its own on the file's dockerd, and what an owner does with it. */
async function setUp(t: ExecutionContext, lang = "node24") {
  t.timeout(240_000);
  if (docker === undefined) throw new Error("The file's dockerd did not start.");
  const env = { ...dockerEnv(docker), enable_dockerfile_lang: "true" };
  const platform = await startPlatform({ engine: "docker", env });
  const { dataFolder } = platform;
  let last = platform;
  t.teardown(async () => {
    // Containers outlive their platform.
    await last.ofc("remove", "alice-cart");
    await last.stop();
    await removeData(dataFolder);
  });
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));

  return {
    platform,
    async again(): Promise<RunningPlatform> {
      last = await startPlatform({ dataFolder, engine: "docker", env });
      return last;
    },
    /** What Git printed. */
    async push(text: string, files: Record<string, string> = {}, to = platform): Promise<string> {
      const { url } = JSON.parse(await to.ofc("token", "alice", "--json")) as { url: string };
      await repository.commit({ ...filesOf(lang, text), ...files });
      return (await repository.push(`${url}/shop.git`)).output;
    },
    head: () => repository.git("rev-parse", "HEAD"),
    async ask({ url }: RunningPlatform): Promise<string> {
      return (await fetch(new URL("function/alice-cart", url))).text();
    },
  };
}

function filesOf(lang: string, text: string): Record<string, string> {
  const stack = { "stack.yml": stackOf({ cart: { lang } }) };
  if (lang !== "dockerfile") return { ...stack, "cart/handler.js": answering(text) };
  const server = `require("http").createServer((_, answer) => answer.end("${text}")).listen(8080)`;
  return {
    ...stack,
    "cart/server.js": server,
    "cart/Dockerfile":
      'FROM node:24-alpine\nCOPY server.js /\nUSER 1000\nCMD ["node", "/server.js"]\n',
  };
}

/** Ids of the containers that run, or of all. */
async function listContainers(which: "running" | "all" = "running"): Promise<string[]> {
  const found = await docker?.api.listContainers({ all: which === "all" });
  return (found ?? []).map(({ Id }) => Id);
}
