import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import test from "ava";
import { z } from "zod";
import { isAlive, listDescendants, type Running } from "../test/faults/processes.ts";
import {
  appKey,
  commit,
  gitEnvironment,
  poll,
  runGit,
  setUpForge,
  type TestForge,
  webhookSecret,
} from "./test-helpers/set-up-forge.ts";

const Ready = z.object({ url: z.string(), token: z.string() });

/** The forge of another process, on the same data folder and webhook receiver. */
async function startVictim(forge: TestForge, webhookUrl: string) {
  const program = new URL("./test-helpers/run-forge.ts", import.meta.url);
  const child = fork(program, [
    join(forge.folder, "data"),
    webhookUrl,
    webhookSecret,
    appKey.publicKey,
  ]);
  const [message] = await once(child, "message");
  const { url, token } = Ready.parse(message);
  const pushUrl = `${url.replace("http://", `http://alice:${token}@`)}/git/alice/shop.git`;
  return { child, pushUrl };
}

async function killHard(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

test("a platform killed between the ref update and the delivery delivers when it is back", async (t) => {
  const forge = await setUpForge(t);
  await forge.close();
  const tree = await forge.workTree();
  // Nobody listens on this port, so the delivery stays undelivered.
  const { child, pushUrl } = await startVictim(forge, "http://127.0.0.1:9/");
  const push = spawn("git", ["push", pushUrl, "main"], { cwd: tree, env: gitEnvironment() });
  let output = "";
  push.stderr.on("data", (chunk) => {
    output += chunk;
  });
  await poll(() => output.includes("did not take the push yet") || undefined);

  const pushed = once(push, "exit");
  await killHard(child);
  const [code] = await pushed;
  await (await forge.open()).start();

  t.not(code, 0);
  const [webhook] = await forge.webhooks(1);
  t.is(webhook?.push.ref, "refs/heads/main");
});

/** A push to another process's forge that sent its first bytes, and the gits that wait for the rest. */
async function beginUpload(child: ChildProcess, pushUrl: string): Promise<Running[]> {
  const { hostname, port, username, password, pathname } = new URL(pushUrl);
  const asked = request({
    ...{ hostname, port, method: "POST", path: `${pathname}/git-receive-pack` },
    auth: `${username}:${password}`,
    // More than ever comes.
    headers: { "content-type": "application/x-git-receive-pack-request", "content-length": 1_000 },
  });
  asked.on("error", () => {});
  asked.write("00a7");
  const isGit = ({ words }: Running) => /git-http-backend|receive-pack/.test(words);
  return poll(() => {
    const found = listDescendants(Number(child.pid)).filter(isGit);
    return found.some(isReceiving) ? found : undefined;
  });
}

function isReceiving({ words }: Running): boolean {
  return /git receive-pack\b/.test(words);
}

test("a platform killed in the middle of an upload leaves no git behind", async (t) => {
  const forge = await setUpForge(t);
  await forge.close();
  const { child, pushUrl } = await startVictim(forge, "http://127.0.0.1:9/");
  const running = await beginUpload(child, pushUrl);

  await killHard(child);

  await poll(() => running.every((one) => !isAlive(one)) || undefined);
  t.pass();
});

test("a git that outlives its platform is ended by the next one, before its ref can move unheard", async (t) => {
  const forge = await setUpForge(t);
  await forge.close();
  const { child, pushUrl } = await startVictim(forge, "http://127.0.0.1:9/");
  const running = await beginUpload(child, pushUrl);
  const receiving = running.find(isReceiving);
  if (receiving === undefined) return t.fail("no receive-pack");
  // As busy as one that checks a large pack: it does not notice that its platform is gone.
  process.kill(receiving.pid, "SIGSTOP");
  await killHard(child);
  t.true(isAlive(receiving));

  await forge.open();

  t.false(isAlive(receiving));
  t.true(forge.lines.some((line) => line.includes("left-over-pushes-ended")));
});

test("a push that comes while the platform still starts keeps its lock; one from before is gone", async (t) => {
  const forge = await setUpForge(t);
  const tree = await forge.workTree();
  await forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);
  const heads = join(forge.folder, "data/git/forge/1.git/refs/heads");
  await forge.close();
  await writeFile(join(heads, "stale.lock"), "");
  const opened = await forge.open();
  await writeFile(join(heads, "early.lock"), "");

  await opened.start();

  t.deepEqual((await readdir(heads)).sort(), ["early.lock", "main"]);
});

test("killed the moment a ref has moved, again and again, every push is delivered once", async (t) => {
  const forge = await setUpForge(t);
  await forge.close();
  const tree = await forge.workTree();
  const bare = join(forge.folder, "data/git/forge/1.git");
  const heads: string[] = [];

  for (let round = 0; round < 4; round += 1) {
    const head = await commit(tree, { "f.txt": String(round) }, `round ${round}`);
    heads.push(head);
    const { child, pushUrl } = await startVictim(forge, `${forge.receiver.url}/github-event`);
    const push = spawn("git", ["push", pushUrl, "main"], { cwd: tree, env: gitEnvironment() });
    push.stderr.resume();
    await refIs(bare, head);
    await killHard(child);
    if (push.exitCode === null) await once(push, "exit");
  }
  await (await forge.open()).start();

  await poll(() => forge.received.at(-1)?.push.after === heads.at(-1) || undefined);
  const afters = new Map(
    forge.received.map(({ headers, push }) => [headers.get("x-github-delivery"), push.after]),
  );
  t.deepEqual([...afters.values()], heads);
});

/** Resolves as soon as the branch's file holds the commit; a poll with pauses would come too late. */
async function refIs(bare: string, head: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const text = await readFile(join(bare, "refs/heads/main"), "utf8").catch(() => "");
    if (text.trim() === head) return;
  }
  throw new Error("The ref did not move within ten seconds.");
}

test("a pusher that is killed does not stop its push", async (t) => {
  const seen = Promise.withResolvers<AbortSignal>();
  const forge = await setUpForge(t, {
    async *follow(_key, signal) {
      seen.resolve(signal);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const tree = await forge.workTree();
  const push = spawn("git", ["push", forge.pushUrl("alice", "shop"), "main"], {
    cwd: tree,
    env: gitEnvironment(),
    detached: true,
  });
  const signal = await seen.promise;

  const pushed = once(push, "exit");
  process.kill(-Number(push.pid), "SIGKILL");
  await pushed;

  await poll(() => signal.aborted || undefined);
  t.is(forge.received.length, 1);
  const again = await forge.git(["ls-remote", forge.pushUrl("alice", "shop"), "refs/heads/main"]);
  t.regex(again.output, /refs\/heads\/main/);
});

/** Each of the programs that serve a push, and what its pusher sees when it is killed while the build goes on. */
const KILLED = [
  { program: "git-http-backend", taken: true },
  { program: "git receive-pack", taken: false },
  { program: "cat", taken: true },
] as const;

for (const { program, taken } of KILLED)
  test(`${program} of a waiting push is killed: its pusher is told ${taken ? "that it was taken" : "that it broke off"}, nobody else notices`, async (t) => {
    const going = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const forge = await setUpForge(t, {
      async *follow() {
        yield { v: 1, at: 0, type: "fetched", ms: 1 };
        going.resolve();
        await goOn.promise;
        // What is told to a hook that is gone must harm nobody.
        for (let left = 20; left > 0; left -= 1) {
          yield { v: 1, at: 0, type: "note", text: `${left} more` };
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        yield { v: 1, at: 0, type: "ended", state: "live", reason: "", ms: 12, urls: [] };
      },
    });
    const tree = await forge.workTree();
    const push = forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);
    await going.promise;
    const named = new RegExp(`(^|/)${program}\\b`);
    const isVictim = ({ words, folder }: Running) =>
      named.test(words) && folder.startsWith(join(forge.folder, "data"));
    const victim = await poll(() => listDescendants(process.pid).find(isVictim));

    // Stopped first, so that it dies with something unread.
    process.kill(victim.pid, "SIGSTOP");
    goOn.resolve();
    setTimeout(() => process.kill(victim.pid, "SIGKILL"), 100);

    const { code, output } = await push;
    t.is(code === 0, taken, output);
    t.is((await forge.webhooks(1)).length, 1);
    const head = (await runGit(["rev-parse", "HEAD"], tree)).output.trim();
    const listed = await forge.git(["ls-remote", forge.pushUrl("alice", "shop")]);
    t.true(listed.output.includes(`${head}\trefs/heads/main`));
  });

test("a platform that stops tells a waiting pusher, whose push succeeds", async (t) => {
  const following = Promise.withResolvers<void>();
  const forge = await setUpForge(t, {
    async *follow(_key, signal) {
      following.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const tree = await forge.workTree();
  const push = forge.git(["push", forge.pushUrl("alice", "shop"), "main"], tree);
  await following.promise;

  await forge.close();

  const { code, output } = await push;
  t.is(code, 0, output);
  t.regex(output, /remote: The platform is stopping; the build goes on when it is back\./);
});

test("a push that breaks off in the middle ends, leaves no ref, and makes room for the next", async (t) => {
  const forge = await setUpForge(t, {
    env: { forge_transfer_idle: "1s", forge_max_transfers: "1" },
  });
  const { token, pushUrl } = forge.forge.createToken("alice");
  const tree = await forge.workTree();
  const authorization = `Basic ${Buffer.from(`alice:${token}`).toString("base64")}`;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("00a7")),
  });

  const broken = await fetch(`${forge.url}/git/alice/shop.git/git-receive-pack`, {
    method: "POST",
    headers: { authorization, "content-type": "application/x-git-receive-pack-request" },
    body,
    duplex: "half",
  });
  const meanwhile = await fetch(
    `${forge.url}/git/alice/shop.git/info/refs?service=git-receive-pack`,
    { headers: { authorization } },
  );
  await t.throwsAsync(broken.arrayBuffer(), undefined, "it must not look whole");
  const after = await poll(async () => {
    const pushed = await forge.git(["push", `${pushUrl}shop.git`, "main"], tree);
    return pushed.code === 0 ? pushed : undefined;
  });

  t.is(meanwhile.status, 503);
  t.regex(await meanwhile.text(), /alice has 1 transfers under way, which is the limit/);
  t.is(after.code, 0);
  t.is((await forge.webhooks(1)).length, 1);
});

test("a transfer that hangs does not keep the forge from stopping", async (t) => {
  const forge = await setUpForge(t);
  const { token } = forge.forge.createToken("alice");
  const stuck = await fetch(`${forge.url}/git/alice/shop.git/git-receive-pack`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`alice:${token}`).toString("base64")}`,
      "content-type": "application/x-git-receive-pack-request",
    },
    body: new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode("00a7")),
    }),
    duplex: "half",
  });
  const started = performance.now();

  await forge.close();

  t.true(performance.now() - started < 8_000);
  await t.throwsAsync(stuck.arrayBuffer(), undefined, "it must not look whole");
});
