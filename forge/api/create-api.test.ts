import { App } from "@octokit/app";
import { Octokit } from "@octokit/core";
import test, { type ExecutionContext } from "ava";
import { importPKCS8, SignJWT } from "jose";
import { appId, appKey, commit, setUpForge } from "../test-helpers/set-up-forge.ts";

// One after the other: @octokit/auth-app shares token requests under way between all Apps of a process.

/** A forge with alice/shop and bob/shop, and Octokit's own App client against it. */
async function setUp(t: ExecutionContext) {
  const forge = await setUpForge(t);
  const tree = await forge.workTree({ "stack.yml": "functions: {}\n", "cart/index.js": "1\n" });
  const sha = await commit(tree, { "a b/é.txt": "x" }, "second");
  await forge.git(
    ["push", forge.pushUrl("alice", "shop"), "main", "main:refs/heads/feature/x"],
    tree,
  );
  await forge.git(["push", forge.pushUrl("alice", "other"), "main"], tree);
  await forge.git(["push", forge.pushUrl("bob", "shop"), "main"], tree);
  const baseUrl = `${forge.url}/api/v3`;
  const app = new App({
    appId,
    privateKey: appKey.privateKey,
    Octokit: Octokit.defaults({ baseUrl }),
  });
  const { data } = await app.octokit.request("GET /repos/{owner}/{repo}/installation", {
    owner: "alice",
    repo: "shop",
  });
  const alice = await app.getInstallationOctokit(data.id);
  const get = (path: string, authorization?: string, headers: Record<string, string> = {}) =>
    fetch(`${baseUrl}${path}`, {
      headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    });
  return { forge, app, alice, sha, get, baseUrl, at: { owner: "alice", repo: "shop" } };
}

/** Status of a failed call, and the message of the answer. */
async function refused(call: Promise<unknown>): Promise<{ status: unknown; message: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error)
      return { status: "status" in error ? error.status : 0, message: error.message };
  }
  return { status: 200, message: "it succeeded" };
}

test.serial("the App knows itself and visits every installation and repository", async (t) => {
  const { app } = await setUp(t);
  const seen: string[] = [];

  const { data } = await app.octokit.request("GET /app");
  await app.eachRepository(({ repository }) => {
    seen.push(repository.full_name);
  });

  t.is(data?.id, appId);
  t.deepEqual(seen.toSorted(), ["alice/other", "alice/shop", "bob/shop"]);
});

test.serial("branches, refs, commits and contents are read by an installation", async (t) => {
  const { alice, at, sha } = await setUp(t);

  const branch = await alice.request("GET /repos/{owner}/{repo}/branches/{branch}", {
    ...at,
    branch: "feature/x",
  });
  const ref = await alice.request("GET /repos/{owner}/{repo}/git/ref/{ref}", {
    ...at,
    ref: "heads/main",
  });
  const matching = await alice.request("GET /repos/{owner}/{repo}/git/matching-refs/{ref}", {
    ...at,
    ref: "heads/fea",
  });
  const commitOf = await alice.request("GET /repos/{owner}/{repo}/commits/{ref}", {
    ...at,
    ref: sha.slice(0, 8),
  });
  const file = await alice.request("GET /repos/{owner}/{repo}/contents/{path}", {
    ...at,
    path: "a b/é.txt",
    ref: sha,
  });
  const folder = await alice.request("GET /repos/{owner}/{repo}/contents/{path}", {
    ...at,
    path: "",
  });
  const repository = await alice.request("GET /repositories/{id}", { id: 1 });

  t.is(branch.data.commit.sha, sha);
  t.deepEqual([ref.data.object.sha, ref.data.object.type], [sha, "commit"]);
  t.deepEqual(
    matching.data.map((one) => one.ref),
    ["refs/heads/feature/x"],
  );
  t.like(commitOf.data.commit, {
    message: "second",
    author: { name: "Alice", email: "alice@example.com" },
  });
  t.like(file.data, { type: "file", content: "eA==", path: "a b/é.txt" });
  t.deepEqual(Array.isArray(folder.data) && folder.data.map(({ name, type }) => [name, type]), [
    ["a b", "dir"],
    ["cart", "dir"],
    ["stack.yml", "file"],
  ]);
  t.is(repository.data.full_name, "alice/shop");
});

test.serial("statuses are added, listed and combined; 141 characters are 422", async (t) => {
  const { alice, at, sha } = await setUp(t);
  const add = (context: string, state: "pending" | "success" | "failure", description = "d") =>
    alice.request("POST /repos/{owner}/{repo}/statuses/{sha}", {
      ...at,
      sha,
      state,
      context,
      description,
    });
  const combined = async () =>
    (
      await alice.request("GET /repos/{owner}/{repo}/commits/{ref}/status", {
        ...at,
        ref: "feature/x",
      })
    ).data;

  const before = await combined();
  await add("stack-deploy", "pending");
  await add("cart", "success", "x".repeat(140));
  const during = await combined();
  await add("stack-deploy", "success");
  const after = await combined();
  const tooLong = await refused(add("cart", "failure", "x".repeat(141)));
  const list = await alice.request("GET /repos/{owner}/{repo}/commits/{ref}/statuses", {
    ...at,
    ref: sha,
    per_page: 2,
  });

  t.deepEqual(
    [before.state, during.state, after.state, after.total_count],
    ["pending", "pending", "success", 2],
  );
  t.is(tooLong.status, 422);
  t.regex(tooLong.message, /description: is too long \(maximum is 140 characters\)/);
  t.deepEqual(
    list.data.map(({ context, state }) => [context, state]),
    [
      ["stack-deploy", "success"],
      ["cart", "success"],
    ],
  );
  t.regex(list.headers.link ?? "", /rel="next"/);
});

test.serial(
  "a check run goes from queued to completed, and a completed one needs a conclusion",
  async (t) => {
    const { alice, at, sha } = await setUp(t);
    const made = await alice.request("POST /repos/{owner}/{repo}/check-runs", {
      ...at,
      name: "cart",
      head_sha: sha,
    });
    const change = { ...at, check_run_id: made.data.id };

    const bad = await refused(
      alice.request("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}", {
        ...change,
        status: "completed",
      }),
    );
    const done = await alice.request("PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}", {
      ...change,
      conclusion: "skipped",
      output: { title: "Build cart", summary: "not built" },
    });
    const list = await alice.request("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", {
      ...at,
      ref: "main",
    });

    t.is(made.data.status, "queued");
    t.is(bad.status, 422);
    t.like(done.data, {
      status: "completed",
      conclusion: "skipped",
      output: { title: "Build cart" },
    });
    t.is(list.data.total_count, 1);
  },
);

test.serial("a token narrowed to one repository and to reading can do nothing else", async (t) => {
  const { app, at, sha } = await setUp(t);
  const { data } = await app.octokit.request(
    "POST /app/installations/{installation_id}/access_tokens",
    {
      installation_id: 1,
      repositories: ["shop"],
      permissions: { contents: "read", metadata: "read", statuses: "read" },
    },
  );
  const octokit = new Octokit({
    baseUrl: app.octokit.request.endpoint.DEFAULTS.baseUrl,
    auth: data.token,
  });

  const visible = await octokit.request("GET /installation/repositories");
  const other = await refused(
    octokit.request("GET /repos/{owner}/{repo}", { owner: "alice", repo: "other" }),
  );
  const foreign = await refused(
    octokit.request("GET /repos/{owner}/{repo}", { owner: "bob", repo: "shop" }),
  );
  const missing = await refused(
    octokit.request("GET /repos/{owner}/{repo}", { owner: "bob", repo: "none" }),
  );
  const write = await refused(
    octokit.request("POST /repos/{owner}/{repo}/statuses/{sha}", { ...at, sha, state: "success" }),
  );
  const checks = await refused(
    octokit.request("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", { ...at, ref: sha }),
  );
  const more = await refused(
    app.octokit.request("POST /app/installations/{installation_id}/access_tokens", {
      installation_id: 1,
      permissions: { contents: "write" },
    }),
  );

  t.is(visible.data.total_count, 1);
  t.deepEqual(
    [other.status, foreign.status, missing.status, write.status, checks.status, more.status],
    [404, 404, 404, 403, 403, 422],
  );
  t.is(foreign.message, missing.message);
});

test.serial(
  "an installation token clones what it names and nothing else, and cannot push",
  async (t) => {
    const { app, forge } = await setUp(t);
    const { data } = await app.octokit.request(
      "POST /app/installations/{installation_id}/access_tokens",
      {
        installation_id: 1,
        repository_ids: [1],
      },
    );
    const url = (name: string) =>
      `${forge.url.replace("http://", `http://x-access-token:${data.token}@`)}/git/alice/${name}.git`;

    const blind = await app.octokit.request(
      "POST /app/installations/{installation_id}/access_tokens",
      { installation_id: 1, permissions: { statuses: "write" } },
    );

    const named = await forge.git(["clone", "--quiet", url("shop"), "a"]);
    const other = await forge.git(["clone", "--quiet", url("other"), "b"]);
    const push = await forge.git(
      ["push", url("shop"), "HEAD:refs/heads/evil"],
      `${forge.folder}/a`,
    );

    const unread = await forge.git([
      "ls-remote",
      url("shop").replace(data.token, blind.data.token),
    ]);

    t.deepEqual([named.code, other.code, push.code, unread.code], [0, 128, 128, 128]);
  },
);

test.serial(
  "JWTs of another key, another App, with a long life, expired or with another algorithm are 401",
  async (t) => {
    const { get } = await setUp(t);
    const key = await importPKCS8(appKey.privateKey, "RS256");
    const now = Math.floor(Date.now() / 1000);
    const sign = (iss: string, iat: number, exp: number, alg = "RS256") =>
      new SignJWT({ iss, iat, exp }).setProtectedHeader({ alg });
    const secret = new TextEncoder().encode(appKey.publicKey);

    const jwts = [
      await sign(String(appId), now - 30, now + 540).sign(key),
      await sign("1", now - 30, now + 540).sign(key),
      await sign(String(appId), now - 30, now + 3_600).sign(key),
      await sign(String(appId), now - 900, now - 300).sign(key),
      await sign(String(appId), now + 3_000, now + 3_540).sign(key),
      await sign(String(appId), now - 30, now + 540, "HS256").sign(secret),
      `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(JSON.stringify({ iss: appId, iat: now, exp: now + 60 })).toString("base64url")}.`,
    ];
    const statuses = await Promise.all(
      jwts.map(async (jwt) => (await get("/app", `Bearer ${jwt}`)).status),
    );

    t.deepEqual(statuses, [200, 401, 401, 401, 401, 401, 401]);
  },
);

test.serial(
  "an owner reads their own repositories and statuses with their token, and writes none",
  async (t) => {
    const { forge, get, sha, baseUrl } = await setUp(t);
    const { token } = forge.forge.createToken("alice");
    const authorization = `token ${token}`;

    const own = await get(`/repos/alice/shop/commits/${sha}/statuses`, authorization);
    const foreign = await get("/repos/bob/shop", authorization);
    const nobody = await get("/repos/alice/shop");
    const write = await fetch(`${baseUrl}/repos/alice/shop/statuses/${sha}`, {
      method: "POST",
      headers: { authorization },
      body: JSON.stringify({ state: "success" }),
    });
    const asApp = await get("/app/hook/deliveries", authorization);

    t.deepEqual(
      [own.status, foreign.status, nobody.status, write.status, asApp.status],
      [200, 404, 401, 403, 401],
    );
    t.deepEqual(await foreign.json(), {
      message: "Not Found",
      documentation_url: "https://docs.github.com/rest",
      status: "404",
    });
  },
);

test.serial("an unchanged answer is 304 by its ETag", async (t) => {
  const { forge, get } = await setUp(t);
  const authorization = `Bearer ${forge.forge.createToken("alice").token}`;
  const first = await get("/repos/alice/shop/branches/main", authorization);
  const etag = first.headers.get("etag") ?? "";

  const second = await get("/repos/alice/shop/branches/main", authorization, {
    "if-none-match": etag,
  });

  t.deepEqual([first.status, second.status], [200, 304]);
});

test.serial(
  "a delivery is asked back: the same id and body again, marked as a redelivery",
  async (t) => {
    const { app, forge } = await setUp(t);
    await forge.webhooks(4);
    const { data } = await app.octokit.request("GET /app/hook/deliveries", { per_page: 2 });
    const [newest] = data;

    await app.octokit.request("POST /app/hook/deliveries/{delivery_id}/attempts", {
      delivery_id: Number(newest?.id),
    });

    const webhooks = await forge.webhooks(5);
    t.is(webhooks[4]?.headers.get("x-github-delivery"), newest?.guid);
    t.deepEqual(webhooks[4]?.push, webhooks[3]?.push);
    t.is(data.length, 2);
  },
);

test.serial(
  "an owner chooses another default branch, which then is built; the App may not",
  async (t) => {
    const { forge, alice, at, baseUrl } = await setUp(t);
    const { token } = forge.forge.createToken("alice");
    const change = (branch: string) =>
      fetch(`${baseUrl}/repos/alice/shop`, {
        method: "PATCH",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({ default_branch: branch }),
      });

    const missing = await change("nope");
    const changed = await change("feature/x");
    const byApp = await refused(
      alice.request("PATCH /repos/{owner}/{repo}", { ...at, default_branch: "main" }),
    );

    t.deepEqual([missing.status, changed.status, byApp.status], [422, 200, 403]);
    const { data } = await alice.request("GET /repos/{owner}/{repo}", at);
    t.is(data.default_branch, "feature/x");
  },
);
