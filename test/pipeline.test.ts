import { execFileSync } from "node:child_process";
import anyTest, { type ExecutionContext, type TestFn } from "ava";
import { hasProgram } from "./helpers/has-program.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import {
  answering,
  type Files,
  makeRepository,
  removeRepository,
  stackOf,
  type TestRepository,
} from "./helpers/repository.ts";
import { until } from "./helpers/until.ts";

const test = anyTest as TestFn<{ repositories: TestRepository[] }>;

/** The road is the same on every queue; one platform process for each that this machine can run. */
const BACKENDS = ["redis", "embedded"] as const;
type Backend = (typeof BACKENDS)[number];

const platforms = new Map<Backend, RunningPlatform>();

test.before(async () => {
  for (const backend of BACKENDS) {
    if (backend === "redis" && !hasProgram("redis-server")) continue;
    const env = {
      queue_backend: backend === "redis" ? "auto" : "embedded",
      process_engine_runs_strangers_code: "true",
    };
    platforms.set(backend, await startPlatform({ env }));
  }
});

test.after.always(async () => {
  for (const platform of platforms.values()) {
    await platform.stop();
    await removeData(platform.dataFolder);
  }
});

test.beforeEach((t) => {
  t.context.repositories = [];
});

test.afterEach.always(async (t) => {
  for (const repository of t.context.repositories) await removeRepository(repository);
});

for (const backend of BACKENDS) {
  const testOn = backend === "redis" && !hasProgram("redis-server") ? test.skip : test;
  const on = (
    title: string,
    run: (
      t: ExecutionContext<{ repositories: TestRepository[] }>,
      platform: RunningPlatform,
    ) => Promise<void>,
  ) =>
    testOn(`${backend}: ${title}`, async (t) => {
      const platform = platforms.get(backend);
      if (platform === undefined) throw new Error("The platform of this queue did not start.");
      await run(t, platform);
    });

  on("a first push makes every function answer and says so to the pusher", async (t, platform) => {
    const { repository, url } = await owner(t, platform, "first", shop("one"));

    const pushed = await repository.push(url);

    t.true(pushed.ok, pushed.output);
    t.regex(pushed.output, /shop@[0-9a-f]{7}\s+2 functions: cart \(node24\), banner \(bash\)/);
    t.regex(pushed.output, /live in [\d.]+ m?s/);
    t.is(await call(platform, "first-cart"), "one");
    t.is(await call(platform, "first-banner", "hello"), "banner: hello");
    t.is(await callHost(platform, "first", "/cart"), "one");
  });

  on(
    "what stack.yml asks for and does not get is told, and the push goes live",
    async (t, platform) => {
      const extra = "    limits:\n      memory: 4Gi\n";
      const files = { ...shop("one"), "stack.yml": stackOf({ cart: { lang: "node24", extra } }) };
      const { repository, url } = await owner(t, platform, "noted", files);

      const pushed = await repository.push(url);

      t.regex(pushed.output, /note: .*limits/);
      t.regex(pushed.output, /live in /);
    },
  );

  on(
    "a source-only change replaces the version that serves; the unchanged function is not touched",
    async (t, platform) => {
      const { repository, url } = await owner(t, platform, "second", shop("one"));
      await pushLive(t, repository, url);
      const bannerBefore = await deployedAt(platform, "second-banner");
      await repository.commit({ "cart/handler.js": answering("two") });

      const pushed = await repository.push(url);

      t.true(pushed.ok, pushed.output);
      t.regex(pushed.output, /banner\s+unchanged/);
      t.is(await call(platform, "second-cart"), "two");
      t.is(await deployedAt(platform, "second-banner"), bannerBefore);
    },
  );

  on("a push that changes no function builds nothing and says so", async (t, platform) => {
    const { repository, url } = await owner(t, platform, "readme", shop("one"));
    await pushLive(t, repository, url);
    await repository.commit({ "README.md": "words" });

    const pushed = await repository.push(url);

    t.regex(pushed.output, /cart\s+unchanged/);
    t.regex(pushed.output, /banner\s+unchanged/);
    t.notRegex(pushed.output, /built/);
  });

  on("a function that leaves stack.yml stops answering", async (t, platform) => {
    const { repository, url } = await owner(t, platform, "leaver", shop("one"));
    await pushLive(t, repository, url);
    await repository.commit({ "stack.yml": stackOf({ cart: { lang: "node24" } }) });

    await pushLive(t, repository, url);

    t.is(await call(platform, "leaver-cart"), "one");
    await until(
      async () => (await fetch(new URL("function/leaver-banner", platform.url))).status === 404,
    );
  });

  on(
    "a branch that is not built is skipped, with the branch that is named",
    async (t, platform) => {
      const { repository, url } = await owner(t, platform, "brancher", shop("one"));
      await pushLive(t, repository, url);
      await repository.commit({ "cart/handler.js": answering("two") });

      const pushed = await repository.push(url, "main:experiment");

      t.true(pushed.ok, pushed.output);
      t.regex(
        pushed.output,
        /skipping build for: refs\/heads\/experiment branch, the build branch is: main/,
      );
      t.is(await call(platform, "brancher-cart"), "one");
    },
  );

  on(
    "a broken stack.yml fails with the field, the value and the rule, and what served goes on",
    async (t, platform) => {
      const { repository, url } = await owner(t, platform, "breaker", shop("one"));
      await pushLive(t, repository, url);
      const sha = await repository.commit({
        "stack.yml":
          shop("one")["stack.yml"]?.replace("handler: ./cart", "handler: ../secrets") ?? "",
      });

      const pushed = await repository.push(url);

      t.regex(pushed.output, /functions\.cart\.handler is "\.\.\/secrets"/);
      t.is(await call(platform, "breaker-cart"), "one");
      t.like(await finalStatus(t, platform, "breaker", sha), { state: "failure" });
    },
  );

  on(
    "a function that never becomes healthy changes nothing, its stack-mates included",
    async (t, platform) => {
      const { repository, url } = await owner(t, platform, "sick", shop("one"));
      await pushLive(t, repository, url);
      const sha = await repository.commit({
        "cart/handler.js": "throw new Error('no configuration');\n",
        "banner/handler.sh": "#!/bin/bash\necho changed\n",
      });

      const pushed = await repository.push(url);

      t.regex(pushed.output, /cart/);
      t.regex(pushed.output, /no configuration/);
      t.is(await call(platform, "sick-cart"), "one");
      await until(async () => (await call(platform, "sick-banner", "hello")) === "banner: hello");
      t.like(await finalStatus(t, platform, "sick", sha), { state: "failure" });
    },
  );

  on("a force-push to an older commit puts that commit back", async (t, platform) => {
    const { repository, url } = await owner(t, platform, "forcer", shop("one"));
    await pushLive(t, repository, url);
    await repository.commit({ "cart/handler.js": answering("two") });
    await pushLive(t, repository, url);

    const pushed = await repository.push(url, "+HEAD~1:main");

    t.true(pushed.ok, pushed.output);
    t.is(await call(platform, "forcer-cart"), "one");
  });

  on(
    "of two pushes at once the newer serves, and both commits end with a true status",
    async (t, platform) => {
      const { repository, url } = await owner(t, platform, "twice", shop("one"));
      await pushLive(t, repository, url);
      const older = await repository.commit({ "cart/handler.js": answering("two") });
      const olderPush = repository.push(url, `${older}:main`);
      const newer = await repository.commit({ "cart/handler.js": answering("three") });
      let newerPush = await repository.push(url, `${newer}:main`);
      const olderWasTaken = (await olderPush).ok;
      if (!newerPush.ok) newerPush = await repository.push(url, `${newer}:main`);

      t.true(newerPush.ok, newerPush.output);
      await until(async () => (await call(platform, "twice-cart")) === "three");
      t.like(await finalStatus(t, platform, "twice", newer), { state: "success" });
      // git itself refuses the older one when the newer was there first.
      if (!olderWasTaken) return;
      const { state, description } = await finalStatus(t, platform, "twice", older);
      if (state !== "success") t.is(description, `superseded by ${newer.slice(0, 7)}`);
    },
  );

  on(
    "a push that supersedes a slow build ends it, and the slow commit says by which",
    async (t, platform) => {
      const slow = {
        ...shop("slow"),
        "cart/package.json": JSON.stringify({ dependencies: { "slow-one": "file:./slow-one" } }),
        "cart/slow-one/package.json": '{"name":"slow-one","version":"1.0.0"}',
      };
      const { repository, url } = await owner(t, platform, "chaser", slow);
      const older = await repository.git("rev-parse", "HEAD");
      const olderPush = repository.push(url);
      await until(async () =>
        /accepted|planned|building/.test(
          await platform.ofc("builds", "chaser", "--json").catch(() => ""),
        ),
      );
      const newer = await repository.commit({
        "cart/handler.js": answering("fast"),
        "cart/package.json": "{}",
      });

      const pushed = await repository.push(url);

      await olderPush;
      t.true(pushed.ok, pushed.output);
      await until(async () => (await call(platform, "chaser-cart")) === "fast");
      t.like(await finalStatus(t, platform, "chaser", newer), { state: "success" });
      const { state, description } = await finalStatus(t, platform, "chaser", older);
      if (state !== "success") t.is(description, `superseded by ${newer.slice(0, 7)}`);
    },
  );

  on(
    "kill -9 in the middle of a push: after the restart the commit is live and no process is left over",
    async (t) => {
      const env = { queue_backend: backend === "redis" ? "auto" : "embedded" };
      const before = await startPlatform({ env });
      const { repository, url } = await owner(t, before, "phoenix", shop("risen"));
      const pushing = repository.push(url);
      await until(async () =>
        /"id"/.test(await before.ofc("builds", "phoenix", "--json").catch(() => "")),
      );
      await before.kill();
      await pushing;
      await until(async () => processesOf(before.dataFolder).length === 0);

      const after = await startPlatform({ dataFolder: before.dataFolder, env });

      await until(async () => (await call(after, "phoenix-cart")) === "risen");
      const sha = await repository.git("rev-parse", "HEAD");
      t.like(await finalStatus(t, after, "phoenix", sha), { state: "success" });
      t.is(await after.stop(), 0);
      t.deepEqual(processesOf(after.dataFolder), []);
      await removeData(after.dataFolder);
    },
  );
}

function shop(text: string): Files {
  return {
    "stack.yml": stackOf({ cart: { lang: "node24" }, banner: { lang: "bash" } }),
    "cart/handler.js": answering(text),
    "banner/handler.sh": '#!/bin/bash\necho "banner: $(cat)"\n',
  };
}

async function owner(
  t: ExecutionContext<{ repositories: TestRepository[] }>,
  platform: RunningPlatform,
  name: string,
  files: Files,
) {
  const repository = await makeRepository();
  t.context.repositories.push(repository);
  await repository.commit(files);
  const { url } = JSON.parse(await platform.ofc("token", name, "--json")) as { url: string };
  return { repository, url: `${url}/shop.git` };
}

/** A push that has to end live before the test goes on. */
async function pushLive(
  t: ExecutionContext,
  repository: TestRepository,
  url: string,
): Promise<void> {
  const { ok, output } = await repository.push(url);
  t.true(ok && /live in /.test(output), output);
}

async function call(platform: RunningPlatform, service: string, body?: string): Promise<string> {
  const response = await fetch(
    new URL(`function/${service}`, platform.url),
    body === undefined ? {} : { method: "POST", body },
  );
  return (await response.text()).trim();
}

/** As a browser would by `http://<owner>.localhost/<function>`. */
async function callHost(platform: RunningPlatform, slug: string, path: string): Promise<string> {
  const { port } = new URL(platform.url);
  return execFileSync(
    "curl",
    ["-sS", "-H", `Host: ${slug}.localhost:${port}`, `http://127.0.0.1:${port}${path}`],
    { encoding: "utf8" },
  ).trim();
}

async function deployedAt(platform: RunningPlatform, service: string): Promise<number | undefined> {
  const { functions } = JSON.parse(await platform.ofc("status", "--json")) as {
    functions: { name: string; deployedAt: number }[];
  };
  return functions.find(({ name }) => name === service)?.deployedAt;
}

type Status = { readonly context: string; readonly state: string; readonly description: string };

/** What the commit shows in `stack-deploy` on the source, once it is final. */
async function finalStatus(
  t: ExecutionContext,
  platform: RunningPlatform,
  name: string,
  sha: string,
): Promise<Status> {
  const { token } = JSON.parse(await platform.ofc("token", name, "--json")) as { token: string };
  const url = new URL(`api/v3/repos/${name}/shop/commits/${sha}/status`, platform.url);
  let found: Status | undefined;
  await until(async () => {
    const response = await fetch(url, { headers: { authorization: `token ${token}` } });
    const { statuses = [] } = (await response.json()) as { statuses?: Status[] };
    found = statuses.find(({ context }) => context === "stack-deploy");
    return found !== undefined && statuses.every(({ state }) => state !== "pending");
  });
  return found ?? t.fail("no stack-deploy status");
}

/** Processes that have the data folder in their arguments or their working folder. */
function processesOf(dataFolder: string): string[] {
  const listed = execFileSync("ps", ["-eo", "pid,args"], { encoding: "utf8" });
  return listed.split("\n").filter((line) => line.includes(dataFolder) && !/ps -eo/.test(line));
}
