import { DatabaseSync } from "node:sqlite";
import test, { type ExecutionContext } from "ava";
import { setUp as openLedgerFor } from "#ledger/test-support/set-up.ts";
import { answerRequests } from "#sdk/answer.ts";
import { createLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";

/** A Slack that keeps what it hears and answers as the test says. */
async function setUp(t: ExecutionContext, slackPath = "/hook", slackTimeout = "10s") {
  const slack = { heard: [] as unknown[], paths: [] as string[], status: 200, hangs: false };
  const served = await serve(
    async (request) => {
      slack.paths.push(new URL(request.url).pathname);
      slack.heard.push(await request.json());
      return slack.hangs ? new Promise(() => {}) : new Response("ok", { status: slack.status });
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => served.close(0));
  const place = openLedgerFor(t);
  const lines: Record<string, unknown>[] = [];
  const env =
    slackPath === "" ? {} : { slack_url: served.url + slackPath, slack_timeout: slackTimeout };
  const answer = answerRequests(
    createHandler({ config: readConfig(env), ledger: place.ledger }),
    createLog((line) => lines.push(JSON.parse(line))),
  );
  const post = (body: unknown) =>
    answer(
      new Request("http://functions/audit-event", { method: "POST", body: JSON.stringify(body) }),
    );
  const recorded = () => {
    const db = new DatabaseSync(place.path, { readOnly: true });
    const rows = db.prepare("SELECT source, message, owner, repository FROM audit").all();
    db.close();
    return rows.map((row) => ({ ...row }));
  };
  return { slack, lines, post, recorded };
}

const event = { v: 1, Source: "git-tar", Message: "Deployed: cart", Owner: "alice", Repo: "shop" };

test("a list of events is recorded in order, and too long a one not at all", async (t) => {
  const { slack, post, recorded } = await setUp(t);

  const good = await post([event, { ...event, Message: "again" }]);
  const bad = await Promise.all([post([]), post(Array.from({ length: 501 }, () => event))]);

  t.deepEqual(
    [good, ...bad].map(({ status }) => status),
    [200, 400, 400],
  );
  t.deepEqual(
    recorded().map(({ message }) => message),
    ["Deployed: cart", "again"],
  );
  t.is(slack.heard.length, 2);
});

test("an event is logged, recorded and told to Slack", async (t) => {
  const { slack, lines, post, recorded } = await setUp(t);

  const response = await post(event);

  t.is(response.status, 200);
  t.is(await response.text(), "audit-event: done\n");
  t.deepEqual(recorded(), [
    { source: "git-tar", message: "Deployed: cart", owner: "alice", repository: "shop" },
  ]);
  t.deepEqual(slack.heard, [{ text: "[git-tar] alice/shop: 'Deployed: cart'" }]);
  t.deepEqual(slack.paths, ["/hook"]);
  t.like(lines[0], { event: "audited", source: "git-tar", owner: "alice" });
});

test("what an owner writes cannot call everybody in Slack", async (t) => {
  const { slack, post } = await setUp(t);

  await post({ ...event, Message: "<!channel> & <http://evil|click>" });

  t.deepEqual(slack.heard, [
    { text: "[git-tar] alice/shop: '&lt;!channel&gt; &amp; &lt;http://evil|click&gt;'" },
  ]);
});

for (const [what, change] of [
  ["refuses", { status: 500 }],
  ["hangs", { hangs: true }],
] as const) {
  test(`a Slack that ${what} is a warning; the event is recorded once and answered 200`, async (t) => {
    const { slack, lines, post, recorded } = await setUp(t, "/services/T0/SECRET", "100ms");
    Object.assign(slack, change);

    const response = await post(event);

    t.is(response.status, 200);
    t.is(recorded().length, 1);
    t.like(lines.at(-1), { level: "warn" });
    t.false(JSON.stringify(lines).includes("SECRET"));
  });
}

test("without slack_url nobody is told", async (t) => {
  const { slack, post } = await setUp(t, "");

  await post(event);

  t.deepEqual(slack.heard, []);
});

test("a body that is no audit event is refused and not recorded", async (t) => {
  const { post, recorded } = await setUp(t);

  t.is((await post({ ...event, Message: 5 })).status, 400);
  t.is((await post([])).status, 400);
  t.deepEqual(recorded(), []);
});

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/audit-event"), variablesOf(readConfig));
});
