import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { restore } from "../cli/backup/restore.ts";
import { hasProgram } from "./helpers/has-program.ts";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import {
  answering,
  type Files,
  makeRepository,
  removeRepository,
  stackOf,
} from "./helpers/repository.ts";
import { changeSecret } from "./helpers/secrets-api.ts";
import { until as untilWithin } from "./helpers/until.ts";

const BACKENDS = ["redis", "embedded"] as const;
/** Platforms start and builds end within this, also where much else runs. */
const DEADLINE_MS = 60_000;
const until = <T>(look: () => Promise<T | undefined | false>) => untilWithin(look, DEADLINE_MS);

for (const backend of BACKENDS) {
  test.serial(
    `${backend}: a backup of a running platform goes on on an empty machine`,
    async (t) => {
      if (backend === "redis" && !hasProgram("redis-server")) {
        t.log("skipped: redis-server is not on the PATH");
        t.pass();
        return;
      }
      const { folder, start } = await setUp(t, backend);
      const before = await start(join(folder, "here"));
      const { token } = await tokenOf(before);
      const repository = await makeRepository();
      t.teardown(() => removeRepository(repository));
      const sha = await repository.commit(shop("one", 503));
      const pushed = await repository.push(pushUrl(before, token));
      t.regex(pushed.output, /live in /, pushed.output);
      const statuses = await statusesOf(before, token, sha);
      const callId = await acceptCall(before, "alice-later");
      await changeSecret(before, "POST", { name: "alice-key", value: "only alice knows" });

      const file = join(folder, "backup.tar.zst");
      const report = JSON.parse(await before.ofc("backup", file, "--json")) as { running: boolean };
      t.true(report.running);
      t.is((await stat(file)).mode & 0o777, 0o600);
      t.is(await call(before, "alice-cart"), "one");
      await before.stop();
      await before.ofc("restore", file, "--data", join(folder, "there"));
      const after = await start(join(folder, "there"));

      t.is(await call(after, "alice-cart"), "one");
      t.deepEqual(await statusesOf(after, token, sha), statuses);
      t.deepEqual(await secretsOf(after), await secretsOf(before));
      t.true(Object.values(await secretsOf(after)).includes("only alice knows"));
      await repository.commit(shop("two", 200));
      const again = await repository.push(pushUrl(after, token));
      t.regex(again.output, /live in /, again.output);
      t.is(await call(after, "alice-cart"), "two");
      await until(async () => (await callState(after, callId)) === "done");
    },
  );
}

for (const backend of BACKENDS) {
  test.serial(
    `${backend}: a backup that is taken while pushes and calls go on fits together`,
    async (t) => {
      if (backend === "redis" && !hasProgram("redis-server")) {
        t.log("skipped: redis-server is not on the PATH");
        t.pass();
        return;
      }
      const { folder, start } = await setUp(t, backend);
      const before = await start(join(folder, "here"));
      const { token } = await tokenOf(before);
      const repository = await makeRepository();
      t.teardown(() => removeRepository(repository));
      await repository.commit(shop("0", 503));
      await repository.push(pushUrl(before, token));
      const accepted = [await acceptCall(before, "alice-later")];
      let isTaken = false;
      t.teardown(() => {
        isTaken = true;
      });
      const pushing = (async () => {
        for (let number = 1; !isTaken; number += 1) {
          await repository.commit({ "cart/handler.js": answering(String(number)) });
          await repository.push(pushUrl(before, token));
        }
      })();
      const calling = (async () => {
        for (let number = 0; !isTaken && number < 300; number += 1)
          await acceptCall(before, "alice-later");
      })();
      while (Number(await call(before, "alice-cart")) < 1)
        accepted.push(await acceptCall(before, "alice-later"));

      const file = join(folder, "backup.tar.zst");
      await before.ofc("backup", file);
      isTaken = true;
      await Promise.all([pushing, calling]);
      await before.kill();
      await before.ofc("restore", file, "--data", join(folder, "there"));
      const after = await start(join(folder, "there"));

      const newest = await until(() => settledBuild(after));
      t.is(newest.state, "live");
      // Taken for the branch's head at the source, so nothing newer is to come.
      await until(async () => Number(await call(after, "alice-cart")) >= 1);
      const states = await Promise.all(accepted.map((callId) => callState(after, callId)));
      t.deepEqual(
        states.filter((state) => !["waiting", "active", "failed"].includes(state)),
        [],
      );
      await repository.commit(shop("last", 200));
      const again = await repository.push(pushUrl(after, token));
      t.regex(again.output, /live in /, again.output);
      t.is(await call(after, "alice-cart"), "last");
      for (const callId of accepted)
        await until(async () => (await callState(after, callId)) === "done");
    },
  );
}

test.serial("a build that waits when the backup is made goes on after the restore", async (t) => {
  const { folder, start } = await setUp(t, "embedded");
  const before = await start(join(folder, "here"));
  const { token } = await tokenOf(before);
  const repository = await makeRepository();
  t.teardown(() => removeRepository(repository));
  await repository.commit(shop("one", 200));

  const pushing = repository.push(pushUrl(before, token));
  await until(async () =>
    /"id"/.test(await before.ofc("builds", "alice", "--json").catch(() => "")),
  );
  await before.kill();
  await pushing;
  const file = join(folder, "backup.tar.zst");
  const report = JSON.parse(await before.ofc("backup", file, "--json")) as { running: boolean };
  t.false(report.running);
  await before.ofc("restore", file, "--data", join(folder, "there"));
  const after = await start(join(folder, "there"));

  await until(async () => (await call(after, "alice-cart")) === "one");
});

test.serial(
  "a backup of the first format is taken forward: its functions answer, and pushes go on",
  async (t) => {
    const { folder, start } = await setUp(t, "embedded");
    const dataFolder = join(folder, "there");
    const file = join(import.meta.dirname, "fixtures/format-1/backup.tar.zst");

    await restore({ dataFolder, file, say: () => {} });
    const platform = await start(dataFolder);

    const cart = await fetch(new URL("function/alice-cart", platform.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"apple": 3}',
    });
    t.like(await cart.json(), { total: 1.2 });
    t.is((await fetch(new URL("function/alice-banner", platform.url))).status, 200);
    const builds = JSON.parse(await platform.ofc("builds", "alice", "--json")) as ListedBuild[];
    t.deepEqual(
      builds.map(({ state }) => state),
      ["live", "live"],
    );
    const { token } = await tokenOf(platform);
    const repository = await makeRepository();
    t.teardown(() => removeRepository(repository));
    await repository.git("pull", "--quiet", pushUrl(platform, token), "main");
    await repository.commit({ "cart/handler.js": answering("new") });
    const pushed = await repository.push(pushUrl(platform, token));
    t.regex(pushed.output, /live in /, pushed.output);
    t.is(await call(platform, "alice-cart"), "new");
  },
);

test.serial(
  "a folder that holds something, and one that a platform runs on, take no restore",
  async (t) => {
    const { folder, start } = await setUp(t, "embedded");
    const platform = await start(join(folder, "here"));
    const file = join(folder, "backup.tar.zst");
    await platform.ofc("backup", file);

    const running = await t.throwsAsync(platform.ofc("restore", file));
    await platform.stop();
    const filled = await t.throwsAsync(platform.ofc("restore", file));
    const repeated = await t.throwsAsync(platform.ofc("backup", file));
    const piped = await t.throwsAsync(platform.ofc("backup", "-"));
    const nowhere = await t.throwsAsync(platform.ofc("backup", join(folder, "none/backup")));

    t.regex(running?.message ?? "", /Another platform runs on/);
    t.regex(filled?.message ?? "", /is not empty \(artifacts/);
    t.regex(repeated?.message ?? "", /backup\.tar\.zst is there already/);
    t.regex(piped?.message ?? "", /"-" is not a file/);
    t.regex(nowhere?.message ?? "", /The folder of .*none\/backup cannot be written to/);
  },
);

async function setUp(t: ExecutionContext, backend: (typeof BACKENDS)[number]) {
  const folder = await mkdtemp(join(tmpdir(), "ofc-backup-"));
  const env = {
    queue_backend: backend === "redis" ? "auto" : "embedded",
    max_retry_attempts: "500",
    max_retry_wait: "1s",
  };
  const ended = new Set<number>();
  const started: RunningPlatform[] = [];
  t.teardown(async () => {
    for (const platform of started) if (!ended.has(platform.pid)) await platform.kill();
    await removeData(folder);
  });
  return {
    folder,
    async start(dataFolder: string): Promise<RunningPlatform> {
      const platform = await startPlatform({ dataFolder, env });
      started.push(platform);
      const note = <T>(code: T): T => {
        ended.add(platform.pid);
        return code;
      };
      return {
        ...platform,
        stop: async () => note(await platform.stop()),
        kill: async () => note(await platform.kill()),
      };
    },
  };
}

/** `later` answers with a status, so that calls of it wait as long as that is a failure. */
function shop(text: string, status: number): Files {
  return {
    "stack.yml": stackOf({ cart: { lang: "node24" }, later: { lang: "node24" } }),
    "cart/handler.js": answering(text),
    "later/handler.js": `module.exports = async (event, context) => context.status(${status}).succeed("");\n`,
  };
}

type ListedBuild = { readonly state: string };

/** The owner's newest build, once none is under way. */
async function settledBuild(platform: RunningPlatform): Promise<ListedBuild | undefined> {
  const builds = JSON.parse(await platform.ofc("builds", "alice", "--json")) as ListedBuild[];
  const ended = ["live", "failed", "superseded", "cancelled", "skipped"];
  return builds.every(({ state }) => ended.includes(state)) ? builds[0] : undefined;
}

async function tokenOf(platform: RunningPlatform): Promise<{ readonly token: string }> {
  return JSON.parse(await platform.ofc("token", "alice", "--json")) as { token: string };
}

function pushUrl(platform: RunningPlatform, token: string): string {
  const url = new URL("git/alice/shop.git", platform.url);
  url.username = "alice";
  url.password = token;
  return url.href;
}

async function call(platform: RunningPlatform, service: string): Promise<string> {
  return (await (await fetch(new URL(`function/${service}`, platform.url))).text()).trim();
}

async function acceptCall(platform: RunningPlatform, service: string): Promise<string> {
  const url = new URL(`async-function/${service}`, platform.url);
  const response = await fetch(url, { method: "POST", body: "a call" });
  return response.headers.get("x-call-id") ?? `answered ${response.status}`;
}

async function callState(platform: RunningPlatform, callId: string): Promise<string> {
  const response = await fetch(new URL(`async-status/${callId}`, platform.url));
  const { state = "" } = (await response.json()) as { state?: string };
  return state;
}

async function statusesOf(platform: RunningPlatform, token: string, sha: string) {
  const url = new URL(`api/v3/repos/alice/shop/commits/${sha}/status`, platform.url);
  return until(async () => {
    const response = await fetch(url, { headers: { authorization: `token ${token}` } });
    const { statuses } = (await response.json()) as {
      statuses: { context: string; state: string; description: string }[];
    };
    if (statuses.length < 3 || statuses.some(({ state }) => state !== "success")) return undefined;
    return statuses.map(({ context, description }) => `${context}: ${description}`).sort();
  });
}

/** The platform's and the functions', by path. */
async function secretsOf({ dataFolder }: RunningPlatform): Promise<Record<string, string>> {
  const secrets: Record<string, string> = {};
  for (const folder of ["secrets", "engine/secrets"]) {
    for (const name of await readdir(join(dataFolder, folder)))
      secrets[`${folder}/${name}`] = await readFile(join(dataFolder, folder, name), "utf8");
  }
  return secrets;
}
