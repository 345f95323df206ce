import test, { type ExecutionContext } from "ava";
import { startGithubServer } from "../test/helpers/github-server.ts";
import { createGithubApps } from "./github-app.ts";
import { createReadHead } from "./read-head.ts";
import { serve } from "./serve.ts";

const place = { id: "github:10", fullName: "Alice/shop", installationId: 7 };

/** A source with one branch, which answers 304 to the ETag it gave. */
async function setUp(t: ExecutionContext) {
  const { appId, privateKey } = await startGithubServer(t);
  const source = { sha: "a".repeat(40), status: 200, asked: [] as string[] };
  const served = await serve(
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/access_tokens"))
        return Response.json({ token: "t", expires_at: "2999-01-01T00:00:00Z" }, { status: 201 });
      source.asked.push(decodeURIComponent(pathname));
      if (source.status !== 200) return Response.json({}, { status: source.status });
      const etag = `"${source.sha}"`;
      if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304 });
      return Response.json({ object: { sha: source.sha } }, { headers: { etag } });
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => served.close(0));
  const apps = createGithubApps({
    sources: [{ scm: "github", baseUrl: served.url, appId, privateKey }],
  });
  return { source, readHead: createReadHead(apps) };
}

test("a head is read by the branch's whole name, and again for nothing while it stays", async (t) => {
  const { source, readHead } = await setUp(t);

  const heads = [await readHead(place, "a/b"), await readHead(place, "a/b")];
  source.sha = "b".repeat(40);
  heads.push(await readHead(place, "a/b"));

  t.deepEqual(heads, ["a".repeat(40), "a".repeat(40), "b".repeat(40)]);
  t.is(source.asked[0], "/repos/Alice/shop/git/ref/heads/a/b");
});

test("a branch that is gone has no head, a source that is down is an error", async (t) => {
  const { source, readHead } = await setUp(t);

  source.status = 404;
  t.is(await readHead(place, "main"), undefined);
  source.status = 503;
  await t.throwsAsync(readHead(place, "main"));
});
