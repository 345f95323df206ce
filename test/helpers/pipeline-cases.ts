import type { ExecutionContext } from "ava";
import { removeData } from "./platform.ts";
import { answering, type Files, stackOf, type TestRepository } from "./repository.ts";
import { call, callHost, deployedAt, finalStatus, processesOf, type Road } from "./road.ts";
import { until } from "./until.ts";

export type RoadCase = {
  readonly title: string;
  /** How it goes may depend on the queue; the others are told by one queue. */
  readonly needsQueue?: true;
  run(t: ExecutionContext, road: Road): Promise<void>;
};

/** What a push does, the same on every queue and engine. */
export const ROAD_CASES: readonly RoadCase[] = [
  {
    title: "a first push makes every function answer and says so to the pusher",
    needsQueue: true,
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "first", shop("one"));

      const pushed = await repository.push(url);

      t.true(pushed.ok, pushed.output);
      t.regex(pushed.output, /shop@[0-9a-f]{7}\s+2 functions: cart \(node24\), banner \(bash\)/);
      t.regex(pushed.output, /live in \d/);
      t.is(await call(platform, "first-cart"), "one");
      t.is(await call(platform, "first-banner", "hello"), "banner: hello");
      t.is(await callHost(platform, "first", "/cart"), "one");
    },
  },
  {
    title: "what stack.yml asks for and does not get is told, and the push goes live",
    async run(t, road) {
      const extra = "    limits:\n      memory: 4Gi\n";
      const files = { ...shop("one"), "stack.yml": stackOf({ cart: { lang: "node24", extra } }) };
      const { repository, url } = await road.owner(t, "noted", files);

      const pushed = await repository.push(url);

      t.regex(pushed.output, /note: .*limits/);
      t.regex(pushed.output, /live in /);
    },
  },
  {
    title:
      "a source-only change replaces the version that serves; the unchanged function is not touched",
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "second", shop("one"));
      await pushLive(t, repository, url);
      const bannerBefore = await deployedAt(platform, "second-banner");
      await repository.commit({ "cart/handler.js": answering("two") });

      const pushed = await repository.push(url);

      t.true(pushed.ok, pushed.output);
      t.regex(pushed.output, /banner\s+unchanged/);
      t.is(await call(platform, "second-cart"), "two");
      t.is(await deployedAt(platform, "second-banner"), bannerBefore);
    },
  },
  {
    title: "a push that changes no function builds nothing and says so",
    async run(t, road) {
      const { repository, url } = await road.owner(t, "readme", shop("one"));
      await pushLive(t, repository, url);
      await repository.commit({ "README.md": "words" });

      const pushed = await repository.push(url);

      t.regex(pushed.output, /cart\s+unchanged/);
      t.regex(pushed.output, /banner\s+unchanged/);
      t.notRegex(pushed.output, /built/);
    },
  },
  {
    title: "a function that leaves stack.yml stops answering",
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "leaver", shop("one"));
      await pushLive(t, repository, url);
      await repository.commit({ "stack.yml": stackOf({ cart: { lang: "node24" } }) });

      await pushLive(t, repository, url);

      t.is(await call(platform, "leaver-cart"), "one");
      await until(
        async () => (await fetch(new URL("function/leaver-banner", platform.url))).status === 404,
      );
    },
  },
  {
    title: "a branch that is not built is skipped, with the branch that is named",
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "brancher", shop("one"));
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
  },
  {
    title:
      "a broken stack.yml fails with the field, the value and the rule, and what served goes on",
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "breaker", shop("one"));
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
  },
  {
    title: "a function that never becomes healthy changes nothing, its stack-mates included",
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "sick", shop("one"));
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
  },
  {
    title: "a force-push to an older commit puts that commit back",
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "forcer", shop("one"));
      await pushLive(t, repository, url);
      await repository.commit({ "cart/handler.js": answering("two") });
      await pushLive(t, repository, url);

      const pushed = await repository.push(url, "+HEAD~1:main");

      t.true(pushed.ok, pushed.output);
      t.is(await call(platform, "forcer-cart"), "one");
    },
  },
  {
    title: "of two pushes at once the newer serves, and both commits end with a true status",
    needsQueue: true,
    async run(t, road) {
      const { platform } = road;
      const { repository, url } = await road.owner(t, "twice", shop("one"));
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
  },
  {
    title: "a push that supersedes a slow build ends it, and the slow commit says by which",
    needsQueue: true,
    async run(t, road) {
      const { platform } = road;
      const slow = { ...shop("slow"), ...SLOW[road.engine] };
      const { repository, url } = await road.owner(t, "chaser", slow);
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
      if (road.engine === "docker" || state !== "success")
        t.is(description, `superseded by ${newer.slice(0, 7)}`);
    },
  },
  {
    title:
      "kill -9 in the middle of a push: after the restart the commit is live and nothing is left over",
    needsQueue: true,
    async run(t, road) {
      const before = await road.start();
      const { repository, url } = await road.owner(t, "phoenix", shop("risen"), before);
      const pushing = repository.push(url);
      await until(async () =>
        /"id"/.test(await before.ofc("builds", "phoenix", "--json").catch(() => "")),
      );
      await before.kill();
      await pushing;
      await until(async () => processesOf(before.dataFolder).length === 0);

      const after = await road.start(before.dataFolder);

      await until(async () => (await call(after, "phoenix-cart")) === "risen");
      const sha = await repository.git("rev-parse", "HEAD");
      t.like(await finalStatus(t, after, "phoenix", sha), { state: "success" });
      t.is(await after.stop(), 0);
      t.deepEqual(processesOf(after.dataFolder), []);
      t.deepEqual(
        await road.listServing(after.dataFolder),
        road.engine === "docker" ? ["phoenix-banner", "phoenix-cart"] : [],
      );
      await removeData(after.dataFolder);
    },
  },
];

/** What installs slowly: on Docker for as long as nobody ends it, while the host builder runs no scripts. */
const SLOW: Readonly<Record<Road["engine"], Files>> = {
  process: {
    "cart/package.json": JSON.stringify({ dependencies: { "slow-one": "file:./slow-one" } }),
    "cart/slow-one/package.json": '{"name":"slow-one","version":"1.0.0"}',
  },
  docker: { "cart/package.json": JSON.stringify({ scripts: { preinstall: "sleep 10000" } }) },
};

function shop(text: string): Files {
  return {
    "stack.yml": stackOf({ cart: { lang: "node24" }, banner: { lang: "bash" } }),
    "cart/handler.js": answering(text),
    "banner/handler.sh": '#!/bin/bash\necho "banner: $(cat)"\n',
  };
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
