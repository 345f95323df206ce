import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import test from "ava";
import { signWebhook } from "#sdk/webhook-signature.ts";
import { FORGE_SECRET, setUpIntake } from "../../test/helpers/intake.ts";
import {
  commitSha,
  delivery,
  pushBody,
  pushDelivery,
  WEBHOOK_SECRET,
} from "../../test/helpers/push-delivery.ts";
import { until } from "../../test/helpers/until.ts";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { webhookExamples } from "../../test/helpers/webhook-examples.ts";
import { readConfig } from "./config.ts";
import { createCustomers } from "./customers.ts";
import { createHandler } from "./handler.ts";

const good = signWebhook(Buffer.from(JSON.stringify(pushBody())), WEBHOOK_SECRET);
const sha1 = `sha1=${hmac("sha1", WEBHOOK_SECRET)}`;

function hmac(algorithm: string, secret: string): string {
  return createHmac(algorithm, secret).update(JSON.stringify(pushBody())).digest("hex");
}

const BAD_SIGNATURES: readonly [string, Readonly<Record<string, string | null>>][] = [
  ["missing", { "x-hub-signature-256": null }],
  ["empty", { "x-hub-signature-256": "" }],
  ["truncated", { "x-hub-signature-256": good.slice(0, -1) }],
  ["too long", { "x-hub-signature-256": `${good}0` }],
  ["in upper case", { "x-hub-signature-256": good.toUpperCase() }],
  ["of upper-case digits", { "x-hub-signature-256": `sha256=${good.slice(7).toUpperCase()}` }],
  ["not hex", { "x-hub-signature-256": `sha256=${"g".repeat(64)}` }],
  ["without its prefix", { "x-hub-signature-256": good.slice(7) }],
  ["that of nothing", { "x-hub-signature-256": signWebhook(Buffer.alloc(0), WEBHOOK_SECRET) }],
  ["made with an empty secret", { "x-hub-signature-256": `sha256=${hmac("sha256", "")}` }],
  ["SHA-1 alone", { "x-hub-signature-256": null, "x-hub-signature": sha1 }],
];

for (const [what, headers] of BAD_SIGNATURES) {
  test(`a signature that is ${what} is refused before anything is recorded or called`, async (t) => {
    const { deliver, ledger, loopback } = setUpIntake(t);

    const response = await deliver(pushDelivery({ headers }));

    t.is(response.status, 401);
    t.like(await response.json(), { code: "bad-signature" });
    t.deepEqual(ledger.listDeliveries(10), []);
    t.deepEqual(loopback.jobs, []);
    t.is(loopback.lines.length, 1);
    t.like(loopback.lines[0], { event: "request-refused", status: 401 });
  });
}

for (const webhookSecret of ["", "  \n"]) {
  test(`the secret ${JSON.stringify(webhookSecret)} stops the start`, (t) => {
    const { ledger, loopback } = setUpIntake(t);
    const config = readConfig({});
    const tools = { config, customers: createCustomers({ config }), ledger };

    t.throws(
      () =>
        createHandler({
          ...tools,
          gateway: loopback.gateway,
          sources: [{ scm: "github", webhookSecret }],
        }),
      { message: /webhook secret of github is empty/ },
    );
    t.throws(() => createHandler({ ...tools, gateway: loopback.gateway, sources: [] }), {
      message: /No webhook source/,
    });
  });
}

test("two sources with one secret stop the start: owners could not be told apart", (t) => {
  const { ledger, loopback } = setUpIntake(t);
  const config = readConfig({});
  const sources = (["github", "forge"] as const).map((scm) => ({ scm, webhookSecret: "same" }));
  const { gateway } = loopback;

  t.throws(
    () =>
      createHandler({ config, customers: createCustomers({ config }), ledger, gateway, sources }),
    { message: /share a secret/ },
  );
});

test("SHA-1 is enough only where webhook_sha1 says so, and never beside a wrong SHA-256", async (t) => {
  const { deliver } = setUpIntake(t, { webhook_sha1: "true" });

  const alone = await deliver(
    pushDelivery({ headers: { "x-hub-signature-256": null, "x-hub-signature": sha1 } }),
  );
  const beside = await deliver(
    pushDelivery({
      headers: { "x-hub-signature-256": `sha256=${"0".repeat(64)}`, "x-hub-signature": sha1 },
    }),
  );

  t.is(alone.status, 202);
  t.is(beside.status, 401);
});

test("a push is accepted durably, answered 202 with its build, and queued for its owner", async (t) => {
  const { deliver, ledger, jobsFor } = setUpIntake(t);

  const response = await deliver(pushDelivery({ id: "d-1" }));

  t.is(response.status, 202);
  const [build] = ledger.listBuilds({ limit: 10 });
  t.deepEqual(await response.json(), { queued: true, sha: commitSha(1), build: build?.id });
  t.like(ledger.findDelivery("github:d-1"), { decision: "queued", status: 202 });
  await until(() => jobsFor("git-tar").length > 0);
  t.deepEqual(jobsFor("git-tar"), [
    { name: "git-tar", body: { v: 1, buildId: build?.id, step: "run" }, ownerId: "github:1" },
  ]);
  t.deepEqual(
    jobsFor("github-status").map(({ body }) => body),
    [{ v: 1, buildId: build?.id, step: "status" }],
  );
  t.like(ledger.listStatuses("github:10", commitSha(1))[0], {
    context: "stack-deploy",
    state: "pending",
    description: "alice-shop stack deploy is in progress",
    targetUrl: `https://github.com/Alice/shop/commit/${commitSha(1)}`,
  });
});

test("whose secret fits decides whose owner it is", async (t) => {
  const { deliver, ledger } = setUpIntake(t);

  await deliver(pushDelivery({ owner: { id: 1, login: "alice" } }));
  const response = await deliver(
    pushDelivery({ owner: { id: 1, login: "bob" }, secret: FORGE_SECRET }),
  );

  t.is(response.status, 202);
  t.deepEqual(
    ledger.listOwners().map(({ id, slug }) => `${id} ${slug}`),
    ["github:1 alice", "forge:1 bob"],
  );
});

test("the same login on another source does not get the functions' name", async (t) => {
  const { deliver, ledger } = setUpIntake(t);

  await deliver(pushDelivery({ owner: { id: 1, login: "alice" } }));
  const response = await deliver(
    pushDelivery({ owner: { id: 2, login: "Alice" }, secret: FORGE_SECRET, id: "forged" }),
  );

  t.is(response.status, 403);
  t.regex(((await response.json()) as { reason: string }).reason, /"alice" is taken/);
  t.like(ledger.findDelivery("forge:forged"), { decision: "refused", status: 403 });
});

test("white space and key order are the sender's business: what was signed is what counts", async (t) => {
  const { deliver } = setUpIntake(t);
  const { ref, ...rest } = pushBody();

  const response = await deliver(delivery(`${JSON.stringify({ ...rest, ref }, null, 3)}\n\n`));

  t.is(response.status, 202);
});

test("a form-encoded delivery is read from its payload field", async (t) => {
  const { deliver } = setUpIntake(t);
  const form = new URLSearchParams({ payload: JSON.stringify(pushBody()) }).toString();

  const response = await deliver(
    delivery(form, { headers: { "content-type": "application/x-www-form-urlencoded" } }),
  );

  t.is(response.status, 202);
});

test("a delivery doubled one after the other, at once, and after a restart makes one build", async (t) => {
  const intake = setUpIntake(t);
  const again = () => intake.deliver(pushDelivery({ id: "same" }));

  const answers = await Promise.all([again(), again(), again()]);
  answers.push(await again());
  intake.restart();
  answers.push(await again());

  const bodies = await Promise.all(answers.map((answer) => answer.json()));
  t.is(intake.ledger.listBuilds({ limit: 10 }).length, 1);
  t.deepEqual(
    answers.map(({ status }) => status),
    [202, 202, 202, 202, 202],
  );
  t.is(new Set(bodies.map((body) => JSON.stringify(body))).size, 1);
  t.is(intake.jobsFor("git-tar").length, 1);
});

test("a delivery without an id is known by its body", async (t) => {
  const { deliver, ledger } = setUpIntake(t);
  const headers = { "x-github-delivery": null };

  await deliver(pushDelivery({ headers }));
  const second = await deliver(pushDelivery({ headers }));

  t.is(second.status, 202);
  t.is(ledger.listBuilds({ limit: 10 }).length, 1);
});

test("a push is accepted although the queue is down: the sweeper repeats the job", async (t) => {
  const { deliver, ledger, loopback } = setUpIntake(t);
  loopback.queueStatus = 500;

  const response = await deliver(pushDelivery());

  t.is(response.status, 202);
  t.is(ledger.listUnleased().length, 1);
  await until(() => loopback.lines.some(({ event }) => event === "job-not-queued"));
});

for (const [what, break_] of [
  ["is not there", undefined],
  ["fails", () => Promise.reject(new Error("disk full"))],
  ["does not answer in time", () => sleep(8_000, Response.json({}))],
] as const) {
  test(`a push while github-push ${what} is a 502 without a record, so that it can come again`, async (t) => {
    const { deliver, ledger, handlers } = setUpIntake(t, { write_timeout: "2s" });
    const { "github-push": whole } = handlers;
    if (break_ === undefined) delete handlers["github-push"];
    else handlers["github-push"] = break_;

    const first = await deliver(pushDelivery({ id: "again" }));
    const recorded = ledger.findDelivery("github:again");
    if (whole !== undefined) handlers["github-push"] = whole;
    const second = await deliver(pushDelivery({ id: "again" }));

    t.is(first.status, 502);
    t.is(recorded, undefined);
    t.is(second.status, 202);
  });
}

const HOSTILE: readonly [string, string | (() => string)][] = [
  ["no JSON", "ref=refs/heads/main"],
  ["nothing", ""],
  ["null", "null"],
  ["an issue rather than a push", JSON.stringify({ action: "opened", issue: {} })],
  ["arrays nested a hundred thousand deep", () => "[".repeat(1e5) + "]".repeat(1e5)],
  ["a ref without refs/", () => JSON.stringify(pushBody({ ref: "-main" }))],
  ["a ref with a line break", () => JSON.stringify(pushBody({ ref: "refs/heads/a\nb" }))],
  ["a commit that is an option", () => JSON.stringify(pushBody({ after: "--upload-pack=sh" }))],
  ["a commit of 39 digits", () => JSON.stringify(pushBody({ after: "a".repeat(39) }))],
  [
    "a path for a repository",
    () => JSON.stringify(pushBody({ repository: { id: 1, name: ".." } })),
  ],
  ["an owner with id 0", () => JSON.stringify(pushBody({ owner: { id: 0, login: "alice" } }))],
  [
    "a clone URL with a password",
    () => {
      const body = pushBody();
      return JSON.stringify({
        ...body,
        repository: { ...body.repository, clone_url: "https://a:b@github.com/a/b.git" },
      });
    },
  ],
  [
    "a clone URL that runs a program",
    () => {
      const body = pushBody();
      return JSON.stringify({
        ...body,
        repository: { ...body.repository, clone_url: "ext::sh -c touch% /tmp/x" },
      });
    },
  ],
  [
    "an owner that only __proto__ names",
    () => JSON.stringify(pushBody()).replace('"owner":', '"__proto__":'),
  ],
];

for (const [what, body] of HOSTILE) {
  test(`a signed push that holds ${what} is answered 400 and recorded with the reason`, async (t) => {
    const { deliver, ledger } = setUpIntake(t);

    const response = await deliver(
      delivery(typeof body === "string" ? body : body(), { id: "hostile" }),
    );

    t.is(response.status, 400);
    const { reason } = (await response.json()) as { reason: string };
    t.true(reason.length > 10);
    t.like(ledger.findDelivery("github:hostile"), { decision: "refused", status: 400, reason });
    t.deepEqual(ledger.listBuilds({ limit: 1 }), []);
  });
}

test("bytes that are not UTF-8 are answered 400 although they are signed", async (t) => {
  const { deliver } = setUpIntake(t);
  const bytes = Buffer.concat([
    Buffer.from('{"ref":"'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"}'),
  ]);
  const request = new Request("http://gateway/github-event", {
    method: "POST",
    body: bytes,
    headers: {
      "x-github-event": "push",
      "x-hub-signature-256": signWebhook(bytes, WEBHOOK_SECRET),
    },
  });

  const response = await deliver(request);

  t.is(response.status, 400);
});

test("a compressed body is bytes like any other: signed or not, it is never inflated", async (t) => {
  const { deliver } = setUpIntake(t);
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  const request = new Request("http://gateway/github-event", {
    method: "POST",
    body: bomb,
    headers: {
      "content-encoding": "gzip",
      "x-github-event": "push",
      "x-hub-signature-256": signWebhook(bomb, WEBHOOK_SECRET),
    },
  });

  t.is((await deliver(request)).status, 400);
});

test("polluting __proto__ in a push changes nothing but is accepted", async (t) => {
  const { deliver } = setUpIntake(t);
  const body = JSON.stringify(pushBody()).replace("{", '{"__proto__":{"admin":true},');

  const response = await deliver(delivery(body));

  t.is(response.status, 202);
  t.false("admin" in {});
});

const EVENT_HEADERS: readonly [string, string | null][] = [
  ["X-GitHub-Event", null],
  ["X-GitHub-Event", "pu sh"],
  ["X-GitHub-Delivery", "../../etc"],
  ["X-GitHub-Delivery", "a".repeat(101)],
];

for (const [name, value] of EVENT_HEADERS) {
  test(`${name} ${JSON.stringify(value)?.slice(0, 20)} is answered 400 that names the header`, async (t) => {
    const { deliver } = setUpIntake(t);

    const response = await deliver(pushDelivery({ headers: { [name]: value } }));

    t.is(response.status, 400);
    t.true(((await response.json()) as { message: string }).message.includes(name));
  });
}

for (const { name: event, examples } of webhookExamples) {
  test(`every recorded ${event} delivery gets a decision, a reason and a record`, async (t) => {
    const { deliver, ledger } = setUpIntake(t);

    for (const [index, example] of examples.entries()) {
      const id = `${event}-${index}`;
      const response = await deliver(delivery(example, { event, id }));
      const recorded = ledger.findDelivery(`github:${id}`);

      t.true([200, 202].includes(response.status), `${id}: ${response.status}`);
      t.is(recorded?.status, response.status);
      t.true((recorded?.reason ?? "").length > 10, id);
      t.is(recorded?.decision === "queued", response.status === 202);
    }
    t.is(ledger.listBuilds({ limit: 100 }).length > 0, event === "push");
  });
}

test("a ping says that the webhook is set up", async (t) => {
  const { deliver } = setUpIntake(t);

  const response = await deliver(
    delivery({ zen: "Keep it logically awesome." }, { event: "ping" }),
  );

  t.is(response.status, 200);
  t.deepEqual(await response.json(), {
    queued: false,
    reason: "ping received: the webhook is set up",
  });
});

test("a push body under another event's name builds nothing", async (t) => {
  const { deliver, ledger } = setUpIntake(t);

  const response = await deliver(delivery(pushBody(), { event: "status" }));

  t.is(response.status, 200);
  t.deepEqual(ledger.listBuilds({ limit: 1 }), []);
});

test("coming back from GitHub's installation page needs no signature and does nothing", async (t) => {
  const { deliver, ledger } = setUpIntake(t);

  const response = await deliver(
    new Request("http://gateway/github-event?installation_id=1&setup_action=install"),
  );

  t.is(response.status, 200);
  t.regex(await response.text(), /^Installation completed/);
  t.deepEqual(ledger.listDeliveries(1), []);
});

const account = { id: 1, login: "Alice", type: "User" };
const shop = { id: 10, name: "shop", full_name: "Alice/shop" };

test("repositories that are removed, and accounts that leave, are queued for clean-up by id", async (t) => {
  const { deliver, jobsFor } = setUpIntake(t);
  const installation = { id: 7, account };

  const removed = await deliver(
    delivery(
      { action: "removed", installation, repositories_removed: [shop] },
      { event: "installation_repositories" },
    ),
  );
  const left = await deliver(
    delivery({ action: "deleted", installation }, { event: "installation" }),
  );

  t.is(removed.status, 200);
  t.regex(((await left.json()) as { reason: string }).reason, /clean-up queued for Alice\/\*/);
  t.like(jobsFor("garbage-collect")[0], {
    ownerId: "github:1",
    body: { repo: "shop", repositoryId: "github:10", owner: "Alice", ownerId: "github:1" },
  });
  t.like(jobsFor("garbage-collect")[1]?.body, { repo: "*", functions: [] });
});

test("a repository that moves to another owner is cleaned up for the one it left", async (t) => {
  const { deliver, jobsFor } = setUpIntake(t);
  const repository = { ...shop, full_name: "Bob/shop", owner: { id: 2, login: "Bob" } };

  await deliver(
    delivery(
      { action: "transferred", repository, changes: { owner: { from: { user: account } } } },
      { event: "repository" },
    ),
  );

  t.like(jobsFor("garbage-collect")[0]?.body, {
    ownerId: "github:1",
    owner: "Alice",
    repositoryId: "github:10",
  });
});

test("a clean-up that cannot be queued is not recorded, so that the delivery can come again", async (t) => {
  const { deliver, ledger, loopback } = setUpIntake(t);
  const leave = () =>
    delivery(
      { action: "deleted", installation: { id: 7, account } },
      { event: "installation", id: "leave" },
    );
  loopback.queueStatus = 500;

  const first = await deliver(leave());
  loopback.queueStatus = 202;
  const second = await deliver(leave());

  t.is(first.status, 502);
  t.is(second.status, 200);
  t.is(ledger.listDeliveries(10).length, 1);
});

test("with github_intake off GitHub's deliveries are refused by name of the switch, the forge's are taken", async (t) => {
  const { deliver, ledger } = setUpIntake(t, { github_intake: "false" });

  const github = await deliver(pushDelivery({ id: "off" }));
  const forge = await deliver(pushDelivery({ secret: FORGE_SECRET }));

  t.is(github.status, 403);
  t.regex(((await github.json()) as { reason: string }).reason, /github_intake is false/);
  t.like(ledger.findDelivery("github:off"), { decision: "refused", status: 403 });
  t.is(forge.status, 202);
});

test("a delivery that was refused is decided anew when it comes again, and the record says what holds", async (t) => {
  const env: Record<string, string> = { github_intake: "false" };
  const intake = setUpIntake(t, env);
  const statusOf = async () => (await intake.deliver(pushDelivery({ id: "off" }))).status;
  t.deepEqual([await statusOf(), await statusOf()], [403, 403]);

  env.github_intake = "true";
  intake.restart();

  t.deepEqual([await statusOf(), await statusOf()], [202, 202]);
  t.like(intake.ledger.findDelivery("github:off"), { decision: "queued", status: 202 });
  t.is(intake.ledger.listDeliveries(10).length, 1);
  t.is(intake.ledger.listBuilds({ limit: 10 }).length, 1);
});

test("a wrong method is answered 405", async (t) => {
  const { deliver } = setUpIntake(t);

  const response = await deliver(new Request("http://gateway/github-event"));

  t.is(response.status, 405);
});

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/github-event"), variablesOf(readConfig));
});
