import test, { type ExecutionContext } from "ava";
import { setUp as openLedgerFor } from "#ledger/test-support/set-up.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { createLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { startGithubServer } from "../../test/helpers/github-server.ts";
import { createAskBack } from "./ask-back.ts";

type Attempt = { id: number; guid: string; status_code: number; delivered_at: string };

/** GitHub's list of deliveries, newest first, in pages of two. */
async function setUp(t: ExecutionContext) {
  const { appId, privateKey } = await startGithubServer(t);
  const { ledger, now } = openLedgerFor(t);
  const github = { attempts: [] as Attempt[], asked: [] as number[], refuses: false };
  const served = await serve(
    (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (!request.headers.get("authorization")?.startsWith("bearer "))
        return Response.json({}, { status: 401 });
      if (request.method === "POST") {
        if (github.refuses) return Response.json({}, { status: 422 });
        github.asked.push(Number(pathname.split("/").at(-2)));
        return Response.json({}, { status: 202 });
      }
      const start = Number(searchParams.get("cursor") ?? 0);
      const next = `<${served.url}/app/hook/deliveries?per_page=100&cursor=${start + 2}>; rel="next"`;
      const more = start + 2 < github.attempts.length;
      return Response.json(github.attempts.slice(start, start + 2), {
        headers: more ? { link: next } : {},
      });
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => served.close(0));
  const apps = createGithubApps({
    sources: [{ scm: "github", baseUrl: served.url, appId, privateKey }],
  });
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const askBack = createAskBack({ scm: "github", apps, ledger, now });
  /** One more attempt, older than those before it. */
  const attempt = (guid: string, status_code: number, hoursAgo = 1) =>
    github.attempts.push({
      id: github.attempts.length + 1,
      guid,
      status_code,
      delivered_at: new Date(now() - hoursAgo * 3_600_000).toISOString(),
    });
  return { github, ledger, lines, attempt, askBack: () => askBack(log) };
}

test("deliveries that met 5xx or nobody are asked for again, over all pages", async (t) => {
  const { github, attempt, askBack } = await setUp(t);
  attempt("down", 502);
  attempt("fine", 202);
  attempt("refused", 401);
  attempt("silent", 0);
  attempt("later-fine", 200);
  attempt("later-fine", 503);

  t.is(await askBack(), 2);
  t.deepEqual(github.asked, [1, 4]);
});

test("what the ledger knows was accepted before the answer was lost", async (t) => {
  const { github, ledger, attempt, askBack } = await setUp(t);
  attempt("known", 504);
  ledger.recordDelivery({
    key: "github:known",
    event: "push",
    receivedAt: 0,
    decision: "queued",
    reason: "",
    status: 202,
  });

  t.is(await askBack(), 0);
  t.deepEqual(github.asked, []);
});

test("a delivery is asked for three times, and not at all after a day", async (t) => {
  const { attempt, askBack } = await setUp(t);
  for (let tries = 0; tries < 4; tries += 1) attempt("hopeless", 500);
  attempt("old", 500, 25);

  t.is(await askBack(), 0);
});

test("one that GitHub will not send again is said, and the others are asked for", async (t) => {
  const { github, lines, attempt, askBack } = await setUp(t);
  github.refuses = true;
  attempt("a", 500);
  attempt("b", 500);

  t.is(await askBack(), 0);
  t.is(lines.filter((line) => line.includes("delivery-not-asked-back")).length, 2);
});
