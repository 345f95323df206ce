import { rm } from "node:fs/promises";
import test from "ava";
import type { BuildEvent } from "#sdk/messages.ts";
import { runGit, setUpForge } from "./test-helpers/set-up-forge.ts";

test("a platform that does not answer is asked again with the same delivery id and body", async (t) => {
  let count = 0;
  const forge = await setUpForge(t, {
    answer: () => new Response(null, { status: ++count < 3 ? 503 : 202 }),
  });
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.regex(
    pushed.output,
    /remote: The platform did not take the push yet \(it answered 503\); trying again\./,
  );
  t.regex(pushed.output, /remote: live in/);
  const ids = forge.received.map(({ headers }) => headers.get("x-github-delivery"));
  t.is(ids.length, 3);
  t.is(new Set(ids).size, 1);
});

test("a refusal is final and its reason reaches the pusher without control characters", async (t) => {
  const forge = await setUpForge(t, {
    answer: () =>
      Response.json(
        { code: "no", message: "alice is \u001b[31mnot\u0007 a customer" },
        { status: 403 },
      ),
  });
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is(pushed.code, 0);
  t.regex(pushed.output, /remote: refused: alice is not a customer/);
  t.is(forge.received.length, 1);
});

test("an event that never builds says why and does not wait", async (t) => {
  const forge = await setUpForge(t, {
    answer: () => Response.json({ queued: false, reason: "branch main is not built, live is" }),
    follow: () => {
      throw new Error("nothing is to be followed");
    },
  });
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.regex(pushed.output, /remote: not built: branch main is not built, live is/);
});

test("a delivery is sent although the clock went back by a day", async (t) => {
  let behind = 0;
  let count = 0;
  const forge = await setUpForge(t, {
    now: () => Date.now() - behind,
    answer: () => {
      count += 1;
      behind += 24 * 3_600_000;
      return new Response(null, { status: count === 1 ? 503 : 202 });
    },
  });
  const tree = await forge.workTree();

  await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is((await forge.webhooks(2)).length, 2);
});

test("a build that outlasts the wait goes on, and the pusher is told while and when", async (t) => {
  let stopped = false;
  async function* never(_key: string, signal: AbortSignal): AsyncIterable<BuildEvent> {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    stopped = true;
  }
  const forge = await setUpForge(t, {
    follow: never,
    env: { forge_push_wait: "2s", forge_heartbeat: "200ms" },
  });
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is(pushed.code, 0);
  t.regex(pushed.output, /remote: waiting for the build to begin, 0 s so far/);
  t.regex(pushed.output, /remote: This push has waited long enough; the build goes on/);
  t.true(stopped);
});

test("progress that breaks off is said to be missing; the push itself succeeds", async (t) => {
  // biome-ignore lint/correctness/useYield: it fails before it has anything to say
  async function* broken(): AsyncIterable<BuildEvent> {
    throw new Error("the ledger is closed");
  }
  const forge = await setUpForge(t, { follow: broken });
  const tree = await forge.workTree();

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is(pushed.code, 0);
  t.regex(
    pushed.output,
    /remote: Progress is not available \(the ledger is closed\); the build goes on\./,
  );
});

test("the key that a build is followed by is the delivery the platform received", async (t) => {
  const keys: string[] = [];
  async function* follow(key: string): AsyncIterable<BuildEvent> {
    keys.push(key);
    yield { v: 1, at: 0, type: "ended", state: "live", reason: "", ms: 1, urls: [] };
  }
  const forge = await setUpForge(t, { follow });
  const tree = await forge.workTree();

  await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  const [webhook] = await forge.webhooks(1);
  t.deepEqual(keys, [`forge:${webhook?.headers.get("x-github-delivery")}`]);
});

test("refs that moved while the platform was down are announced when it starts, once", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  const url = forge.pushUrl("alice", "shop");
  await forge.git(["push", url, "main", "main:refs/heads/old"], tree);
  const head = (await forge.git(["rev-parse", "HEAD"], tree)).output.trim();
  await forge.webhooks(2);
  await forge.close();
  const bare = `${forge.folder}/data/git/forge/1.git`;
  await runGit(["update-ref", "refs/heads/new", head], bare);
  await runGit(["update-ref", "-d", "refs/heads/old"], bare);

  await (await forge.open()).start();
  await forge.webhooks(4);
  await forge.close();
  await (await forge.open()).start();

  // The fourth may have been cut off by the first close; then it comes again under the same id.
  const told = new Map(
    forge.received.map(({ headers, push }) => [
      headers.get("x-github-delivery"),
      [push.ref, push.created, push.deleted],
    ]),
  );
  t.deepEqual([...told.values()].slice(2).toSorted(), [
    ["refs/heads/new", true, false],
    ["refs/heads/old", false, true],
  ]);
});

test("a push whose hook did not run is announced all the same", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  await rm(`${forge.folder}/data/git/hooks/post-receive`);

  const pushed = await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);

  t.is(pushed.code, 0, pushed.output);
  t.is((await forge.webhooks(1))[0]?.push.ref, "refs/heads/main");
});

test("a push beyond the webhook limit tells the default branch first and leaves the rest out", async (t) => {
  const forge = await setUpForge(t, { env: { forge_max_webhooks_per_push: "1" } });
  const tree = await forge.workTree();
  await forge.git(["tag", "v1"], tree);

  await forge.git(
    ["push", forge.pushUrl("alice", "shop"), "v1", "main:refs/heads/a", "main"],
    tree,
  );
  await forge.close();
  await (await forge.open()).start();

  t.deepEqual(
    (await forge.webhooks(1)).map(({ push }) => push.ref),
    ["refs/heads/main"],
  );
});
