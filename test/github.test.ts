import { createHmac } from "node:crypto";
import { copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { type RunningPlatform, removeData, startPlatform } from "./helpers/platform.ts";
import { answering, makeRepository, removeRepository, stackOf } from "./helpers/repository.ts";
import { until } from "./helpers/until.ts";

const WEBHOOK_SECRET = "the webhook secret of the App";

/**
 * GitHub is played by the forge of a second platform, which speaks the same API: the App's key, installation
 * tokens, clone over HTTP, branch heads and commit statuses are all real.
 */
async function setUp() {
  const github = await startPlatform();
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-test-"));
  await mkdir(join(dataFolder, "secrets"), { recursive: true });
  await copyFile(
    join(github.dataFolder, "secrets/private-key"),
    join(dataFolder, "secrets/private-key"),
  );
  await writeFile(join(dataFolder, "secrets/github-webhook-secret"), WEBHOOK_SECRET);
  const env = {
    github_app_id: "1",
    github_api_url: `${github.url}api/v3/`,
    github_url: github.url,
    process_engine_runs_strangers_code: "true",
  };
  const platform = await startPlatform({ dataFolder, env });
  const repository = await makeRepository();
  const sha = await repository.commit({
    "stack.yml": stackOf({ cart: { lang: "node18" } }),
    "cart/handler.js": answering("from GitHub"),
  });
  const { url, token } = JSON.parse(await github.ofc("token", "alice", "--json")) as {
    url: string;
    token: string;
  };
  await repository.push(`${url}/shop.git`);

  const ask = async (path: string) => {
    const response = await fetch(new URL(`api/v3/${path}`, github.url), {
      headers: { authorization: `token ${token}` },
    });
    return (await response.json()) as Record<string, unknown> & {
      id: number;
      owner: { id: number };
    };
  };
  return {
    platform,
    sha,
    ask,
    async deliver(id: string, change: Record<string, unknown> = {}, secret = WEBHOOK_SECRET) {
      const described = await ask("repos/alice/shop");
      const body = JSON.stringify({
        ref: "refs/heads/main",
        after: sha,
        repository: described,
        installation: { id: described.owner.id },
        ...change,
      });
      return fetch(new URL("github-event", platform.url), {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-github-event": "push",
          "x-github-delivery": id,
          "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
        },
        body,
      });
    },
    async tearDown() {
      await removeRepository(repository);
      for (const one of [platform, github]) {
        await one.stop();
        await removeData(one.dataFolder);
      }
    },
  };
}

async function call(platform: RunningPlatform, service: string): Promise<string> {
  return (await (await fetch(new URL(`function/${service}`, platform.url))).text()).trim();
}

test("a signed push webhook makes the function answer and the commit show where", async (t) => {
  const { platform, sha, ask, deliver, tearDown } = await setUp();
  t.teardown(tearDown);

  const response = await deliver("72d3162e-cc78-11e3-81ab-4c9367dc0958");

  t.is(response.status, 202);
  await until(async () => (await call(platform, "alice-cart")) === "from GitHub");
  await until(async () => {
    const { statuses } = (await ask(`repos/alice/shop/commits/${sha}/status`)) as unknown as {
      statuses: { context: string; state: string; target_url: string }[];
    };
    return statuses.some(
      ({ context, state, target_url }) =>
        context === "cart" &&
        state === "success" &&
        target_url.includes(new URL(platform.url).port),
    );
  });

  const again = await deliver("72d3162e-cc78-11e3-81ab-4c9367dc0958");
  const forged = await deliver("72d3162e-cc78-11e3-81ab-4c9367dc0959", {}, "another secret");
  const elsewhere = await deliver("72d3162e-cc78-11e3-81ab-4c9367dc0960", {
    ref: "refs/heads/experiment",
  });

  t.is(again.status, 202);
  t.is(forged.status, 401);
  t.deepEqual(
    [elsewhere.status, ((await elsewhere.json()) as { queued: boolean }).queued],
    [200, false],
  );
  const builds = JSON.parse(await platform.ofc("builds", "--json")) as unknown[];
  t.is(builds.length, 1);
});

test("without the switch that names the risk, the process engine takes no webhook from GitHub", async (t) => {
  const dataFolder = await mkdtemp(join(tmpdir(), "ofc-test-"));
  await mkdir(join(dataFolder, "secrets"), { recursive: true });
  await writeFile(join(dataFolder, "secrets/github-webhook-secret"), WEBHOOK_SECRET);
  const platform = await startPlatform({ dataFolder });
  t.teardown(async () => {
    await platform.stop();
    await removeData(dataFolder);
  });
  const body = "{}";
  const signature = createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex");

  const response = await fetch(new URL("github-event", platform.url), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": "1",
      "x-hub-signature-256": `sha256=${signature}`,
    },
    body,
  });

  t.is(response.status, 403);
  t.regex(await response.text(), /process_engine_runs_strangers_code/);
});
