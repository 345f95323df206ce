import test from "ava";
import { startGithubServer } from "../test/helpers/github-server.ts";
import { createGithubApps } from "./github-app.ts";
import { serve } from "./serve.ts";

test("two sources with the same installation id at the same moment get their own tokens", async (t) => {
  const github = await startGithubServer(t);
  const other = await serve(
    () =>
      Response.json(
        { token: "other", expires_at: new Date(Date.now() + 3_600_000).toISOString() },
        { status: 201 },
      ),
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => other.close(0));
  const { appId, privateKey } = github;
  const apps = createGithubApps({
    sources: [
      { scm: "github", baseUrl: github.url, appId, privateKey },
      { scm: "forge", baseUrl: `${other.url}/`, appId, privateKey },
    ],
  });

  const tokens = await Promise.all([
    apps.installationToken("github", 7),
    apps.installationToken("forge", 7),
  ]);

  t.deepEqual(tokens, ["ghs_installation", "other"]);
});

test("a token is made once, and anew when it was refused", async (t) => {
  const { url: baseUrl, appId, privateKey, requests } = await startGithubServer(t);
  const apps = createGithubApps({ sources: [{ scm: "github", baseUrl, appId, privateKey }] });

  await Promise.all([apps.installationToken("github", 8), apps.installationToken("github", 8)]);
  await apps.installationToken("github", 8);
  t.is(requests.length, 1);
  await apps.installationToken("github", 8, { fresh: true });

  t.is(requests.length, 2);
});

test("a source without an App, and a delivery without an installation, are named", async (t) => {
  const { url: baseUrl, appId, privateKey } = await startGithubServer(t);
  const apps = createGithubApps({ sources: [{ scm: "github", baseUrl, appId, privateKey }] });

  await t.throwsAsync(apps.installation("forge", 1), { message: /No GitHub App .* forge/ });
  await t.throwsAsync(apps.installationToken("github", 0), { message: /no App installation/ });
});

test("a private key that is none stops the start", (t) => {
  t.throws(() =>
    createGithubApps({
      sources: [{ scm: "github", baseUrl: "http://x", appId: "1", privateKey: "secret" }],
    }),
  );
});
