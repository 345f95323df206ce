import { isDeepStrictEqual } from "node:util";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { BUILDS, type BuildView, FUNCTIONS } from "../cli/views.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { until } from "./helpers/until.ts";

const TOKEN = z.object({ token: z.string(), url: z.string() });
const SHOWN = z.object({
  statuses: z.array(z.object({ context: z.string(), state: z.string(), description: z.string() })),
});

test("a version that crashes again and again after its push is told as failed everywhere, and can be pushed again", async (t) => {
  const { platform, push, crash, ask } = await setUp(t);
  const one = await push("one");
  const two = await push("two");

  await crash("two");
  const build = await findCorrected(platform, two);

  const short = one.slice(0, 7);
  t.regex(
    build.reason,
    new RegExp(
      `^cart serves ${short} again after a crash loop: replica alice-cart-\\w+ exited with code 7$`,
    ),
  );
  t.is(build.state, "live", "it was live, and an end is final");
  t.is(await ask(), "one");
  t.regex(await platform.ofc("versions", "alice-cart"), new RegExp(`^${short} +serving +3 `, "m"));
  t.regex(await platform.ofc("builds", "--id", build.id), /cart +failed: cart serves /);
  const [shown] = await listFunctions(platform);
  t.is(shown?.sha, one);
  t.regex(shown?.problem ?? "", /gave way to \w+ after a crash loop: /);
  const failure = `failure: ${build.reason}`;
  const isTold = { "stack-deploy": failure, cart: failure };
  await until(async () => isDeepStrictEqual(await statusesOf(platform, two), isTold), 60_000);
  t.like(await statusesOf(platform, one), { cart: "success: deployed: alice-cart" });

  await push("two", "the same function once more");
  t.is(await ask(), "two", "it is deployed again, not taken for what serves");
  await push("three");
  t.is(await ask(), "three");
});

test("a first version that crashes again and again is told as failed, and is started again all the same", async (t) => {
  const { platform, push, crash, ask } = await setUp(t);
  const one = await push("one");

  await crash("one", "crash-loop-told");
  const build = await findCorrected(platform, one);

  t.regex(build.reason, /^cart is in a crash loop: replica alice-cart-\w+ exited with code 7$/);
  t.is(build.state, "live", "it was live, and an end is final");
  const failure = `failure: ${build.reason}`;
  const isTold = { "stack-deploy": failure, cart: failure };
  await until(async () => isDeepStrictEqual(await statusesOf(platform, one), isTold), 60_000);
  await until(async () => (await ask()) === "one", 60_000);

  const two = await push("two");
  t.is(await ask(), "two");
  t.like(await statusesOf(platform, two), { cart: "success: deployed: alice-cart" });
});

for (const point of ["recordSwitchBack:before", "recordSwitchBack:after"]) {
  test(`a platform that dies at ${point} ends with a true ledger`, async (t) => {
    const { platform, push, crash, start } = await setUp(t, { OFC_FAULT: point });
    const one = await push("one");
    const two = await push("two");
    await crash("two");
    await until(() => !isAlive(platform.pid), 60_000);

    const next = await start();
    const build = await findCorrected(next, two);

    t.regex(build.reason, new RegExp(`^cart serves ${one.slice(0, 7)} again after a crash`));
    const told = await next.ofc("builds", "--id", build.id);
    t.is(told.match(/cart +failed/g)?.length, 1, told);
    t.is(await callCart(next), "one");
    const failure = `failure: ${build.reason}`;
    await until(async () => (await statusesOf(next, two)).cart === failure, 60_000);
  });
}

for (const point of ["recordCrashLoop:before", "recordCrashLoop:after"]) {
  test(`a platform that dies at ${point} tells of a first version's crash loop once`, async (t) => {
    const { platform, push, start } = await setUp(t, { OFC_FAULT: point });
    const one = await push("one");
    await until(async () => {
      await callCart(platform, "crash");
      return !isAlive(platform.pid);
    }, 60_000);

    const next = await start();
    // What was not told before is told while it goes on.
    const build = await until(async () => {
      await callCart(next, "crash");
      return findTold(next, one);
    }, 60_000);

    t.regex(build.reason, /^cart is in a crash loop: /);
    const told = await next.ofc("builds", "--id", build.id);
    t.is(told.match(/cart +failed/g)?.length, 1, told);
    const failure = `failure: ${build.reason}`;
    await until(async () => (await statusesOf(next, one)).cart === failure, 60_000);
  });
}

async function setUp(t: ExecutionContext, env: Record<string, string> = {}) {
  t.timeout(240_000);
  const platform = await startPlatform({ env });
  const { dataFolder } = platform;
  t.teardown(() => removeData(dataFolder));
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  const { url } = TOKEN.parse(JSON.parse(await platform.ofc("token", "alice", "--json")));
  t.teardown(() => platform.stop());
  return {
    platform,
    /** A commit whose function answers the text, and is gone after a request for `/crash`. */
    async push(text: string, readme = "") {
      const sha = await repository.commit({
        "stack.yml": stackOf({ cart: { lang: "node24" } }),
        "cart/handler.js": crashing(text),
        "README.md": readme,
      });
      const { output } = await repository.push(`${url}/shop.git`);
      t.regex(output, /live in /, output);
      return sha;
    },
    ask: () => callCart(platform),
    /** Crash what answers `text` until the engine has seen enough of it. */
    async crash(text: string, told = "release-switched-back"): Promise<void> {
      await until(async () => {
        if (platform.log.some(({ event }) => event === told)) return true;
        if ((await callCart(platform)) === text) await callCart(platform, "crash");
        return false;
      }, 60_000);
    },
    async start(): Promise<RunningPlatform> {
      const next = await startPlatform({ dataFolder });
      t.teardown(() => next.stop());
      return next;
    },
  };
}

function crashing(text: string): string {
  return `module.exports = async (event, context) => {
  if (event.path === "/crash") process.exit(7);
  return context.status(200).succeed(${JSON.stringify(text)});
};
`;
}

/** A function or a platform that is gone answers nothing. */
async function callCart({ url }: RunningPlatform, path = ""): Promise<string> {
  try {
    const options = { signal: AbortSignal.timeout(10_000) };
    return await (await fetch(new URL(`function/alice-cart/${path}`, url), options)).text();
  } catch {
    return "";
  }
}

/** The build of a commit, once something is said about it. */
function findCorrected(platform: RunningPlatform, commit: string): Promise<BuildView> {
  return until(() => findTold(platform, commit), 60_000);
}

async function findTold(platform: RunningPlatform, commit: string) {
  const list = BUILDS.parse(JSON.parse(await platform.ofc("builds", "--json")));
  return list.find(({ sha, reason }) => sha === commit && reason !== "");
}

async function listFunctions(platform: RunningPlatform) {
  const status: unknown = JSON.parse(await platform.ofc("status", "--json"));
  return z.object({ functions: FUNCTIONS }).parse(status).functions;
}

/** What the forge shows of a commit: `failure: …` by context. */
async function statusesOf(platform: RunningPlatform, sha: string) {
  const { token } = TOKEN.parse(JSON.parse(await platform.ofc("token", "alice", "--json")));
  const url = new URL(`api/v3/repos/alice/shop/commits/${sha}/status`, platform.url);
  const response = await fetch(url, { headers: { authorization: `token ${token}` } });
  const { statuses } = SHOWN.parse(await response.json());
  return Object.fromEntries(
    statuses.map(({ context, state, description }) => [context, `${state}: ${description}`]),
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH is the answer.
    return false;
  }
}
