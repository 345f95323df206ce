import {
  buildOf,
  claim,
  deployUp,
  push,
  releaseDraft,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { startAdmin, testAdmin } from "../../test/helpers/start-admin.ts";
import { until } from "../../test/helpers/until.ts";

type Admin = Awaited<ReturnType<typeof startAdmin>>;

/** alice-cart serves from a live build, and a second build waits. */
function makeBuilds({ ledger, deploy, wait, now }: Admin) {
  const live = buildOf(ledger.acceptPush(push({ sha: shaOf(1) })));
  const held = claim(ledger, live);
  wait(1_500);
  ledger.addEvent(live.id, { v: 1, at: now(), type: "fetched", ms: 12 });
  deployUp(ledger, held);
  const release = ledger.declareRelease(held, releaseDraft());
  ledger.markRelease(release.id, release.service, "serving");
  ledger.endBuild(held, "live", "", []);
  deploy("alice-cart");
  return { live, waiting: buildOf(ledger.acceptPush(push({ sha: shaOf(2) }))) };
}

testAdmin("status shows what serves and the newest builds, as a table and as JSON", async (t) => {
  const admin = await startAdmin(t);
  const { live, waiting } = makeBuilds(admin);

  const { code, stdout, stderr } = await admin.ofc("status", "alice");
  const json = JSON.parse((await admin.ofc("status", "--json")).stdout);

  t.is(code, 0, stderr);
  t.regex(
    stdout,
    /^FUNCTION +REPOSITORY +COMMIT +REPLICAS +INVOCATIONS +DEPLOYED +URL\nalice-cart +alice\/shop .* 1\/1 +0 +\d+\w ago +http:\/\/127\.0\.0\.1:8080\/function\/alice-cart\n\n/,
  );
  t.regex(stdout, new RegExp(`^${waiting.id} +alice/shop +main +0000002 +accepted `, "m"));
  t.regex(stdout, new RegExp(`^${live.id} +alice/shop +main +0000001 +live +1\\.50 s `, "m"));
  t.is(json.functions[0].name, "alice-cart");
  t.deepEqual(
    json.builds.map(({ id }: { id: string }) => id),
    [waiting.id, live.id],
  );
});

testAdmin("status says below the table why a function does not serve as asked", async (t) => {
  const admin = await startAdmin(t, {
    problem: { name: "alice-cart", text: "replica r1 ended with exit code 1" },
  });
  makeBuilds(admin);

  const { stdout } = await admin.ofc("status");

  t.regex(stdout, /\nalice-cart .*\nalice-cart: replica r1 ended with exit code 1\n\n/);
});

testAdmin("before the first push every list says what there is not, and what to do", async (t) => {
  const admin = await startAdmin(t);

  t.is(
    (await admin.ofc("status")).stdout,
    "No functions yet. ./ofc token <owner> prints a URL to push to.\n\nNo builds yet.\n",
  );
  t.is((await admin.ofc("deliveries")).stdout, "No webhook deliveries yet.\n");
  t.regex(
    (await admin.ofc("queue")).stdout,
    /^pipeline: 0 waiting, 0 running, 0 to be tried again, 0 given up\n/,
  );
});

testAdmin("one build is told step by step, with its distance from the start", async (t) => {
  const admin = await startAdmin(t);
  const { live } = makeBuilds(admin);
  const at = live.acceptedAt + 1_500;
  admin.ledger.addEvent(live.id, { v: 1, at, type: "log", name: "cart", text: "npm ci" });
  admin.ledger.addEvent(live.id, {
    v: 1,
    at,
    type: "function",
    name: "cart",
    step: "healthy",
    ms: 90,
  });

  const { stdout } = await admin.ofc("builds", "--id", live.id);

  t.regex(stdout, new RegExp(`^${live.id} `, "m"));
  t.regex(stdout, /^ {2}\+1\.50 s {2}cart \| npm ci$/m);
  t.regex(stdout, /^ {2}\+1\.50 s {2}cart +fetched 12 ms · healthy 90 ms$/m);
});

testAdmin("a token is printed alone on stdout, as a URL to push below", async (t) => {
  const admin = await startAdmin(t);

  const { code, stdout, stderr } = await admin.ofc("token", "Alice");

  t.is(code, 0, stderr);
  t.regex(stdout, /^http:\/\/Alice:[\w-]+@127\.0\.0\.1:8080\/git\/Alice\n$/);
  t.regex(stderr, /shown this once/);
  t.regex(stderr, /git push http:\/\/Alice:[\w-]+@127\.0\.0\.1:8080\/git\/Alice\/shop\.git main/);
});

testAdmin("a refusal of the platform reaches the person under the command's name", async (t) => {
  const admin = await startAdmin(t);
  makeBuilds(admin);

  const { code, stdout, stderr } = await admin.ofc("token", "bob");

  t.is(code, 1);
  t.is(stdout, "");
  t.regex(stderr, /^ofc token: The process engine does not isolate owners, and "alice" is here/);
});

testAdmin("cancel ends a waiting build, and says so", async (t) => {
  const admin = await startAdmin(t);
  const { waiting } = makeBuilds(admin);

  const { stdout } = await admin.ofc("cancel", waiting.id);

  t.is(stdout, `Build ${waiting.id} of alice/shop@0000002 is cancelled.\n`);
  t.is(admin.ledger.findBuild(waiting.id)?.state, "cancelled");
});

testAdmin("remove and redeploy name what they did", async (t) => {
  const admin = await startAdmin(t);
  makeBuilds(admin);

  const again = await admin.ofc("redeploy", "alice/shop");
  const removed = await admin.ofc("remove", "alice-cart");

  t.regex(
    again.stdout,
    /^Build (\S+) deploys 0000002 again; \.\/ofc builds --id \1 follows it\.\n$/,
  );
  t.is(removed.stdout, "Removed alice-cart.\n");
});

testAdmin(
  "a call that was given up is listed with its reason and tried again on demand",
  async (t) => {
    const admin = await startAdmin(t);
    await admin.queue.start();
    const queued = await admin.queue.handler(
      new Request("http://queue/async-function/git-tar.openfaas-system", {
        method: "POST",
        headers: { "x-call-id": "11111111-2222-4333-8444-555555555555" },
        body: "{}",
      }),
      admin.loopback.log,
    );
    t.is(queued.status, 202);
    const isDead = async () =>
      (await admin.queue.inspect()).some(({ counts }) => counts.dead === 1);
    await until(isDead);

    const { stdout } = await admin.ofc("queue");
    const [, callId = ""] = /^given up +(\S+) +git-tar/m.exec(stdout) ?? [];
    const retried = await admin.ofc("queue", "--retry", callId);

    t.regex(stdout, /^pipeline: 0 waiting, 0 running, 0 to be tried again, 1 given up$/m);
    t.regex(stdout, /^STATE +CALL +FUNCTION +OWNER +ATTEMPTS +QUEUED +LAST ERROR$/m);
    t.is(retried.stdout, `Call ${callId} waits for another try; ./ofc queue shows how it goes.\n`);
    t.like(JSON.parse((await admin.ofc("queue", "--json")).stdout), { length: 3 });
  },
);

testAdmin("deliveries tell the decision and its reason", async (t) => {
  const admin = await startAdmin(t);
  admin.ledger.recordDelivery({
    key: "github:d-1",
    event: "push",
    receivedAt: Date.now(),
    decision: "skipped",
    reason: "only main is built",
    status: 200,
    repository: "alice/shop",
    sha: shaOf(7),
  });

  const { stdout } = await admin.ofc("deliveries");

  t.regex(
    stdout,
    /^\d+s ago +push +alice\/shop +0000007 +200 +skipped +only main is built +github:d-1$/m,
  );
});

testAdmin(
  "logs are printed with their time and replica, and nothing in them moves the cursor",
  async (t) => {
    const line = {
      name: "alice-cart",
      namespace: "openfaas-fn",
      instance: "r1",
      timestamp: "2026-01-01T00:00:00.000Z",
      text: "hello \u001b[2Jworld",
    };
    const admin = await startAdmin(t, { printed: [line] });
    admin.deploy("alice-cart");
    admin.deploy("alice-quiet");

    t.is(
      (await admin.ofc("logs", "alice-cart")).stdout,
      "2026-01-01T00:00:00.000Z r1 hello world\n",
    );
    t.is((await admin.ofc("logs", "alice-quiet")).stdout, "alice-quiet has printed nothing yet.\n");
    t.deepEqual(JSON.parse((await admin.ofc("logs", "alice-cart", "--json")).stdout), line);
  },
);

testAdmin("config shows each setting with its source and default", async (t) => {
  const admin = await startAdmin(t);

  t.is(
    (await admin.ofc("config")).stdout,
    "NAME         VALUE  SOURCE   UNIT  DEFAULT\nbuild_lease  30s    default        30s\n",
  );
});
