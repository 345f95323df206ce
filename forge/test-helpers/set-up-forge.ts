import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { PushEvent } from "@octokit/webhooks-types";
import type { ExecutionContext } from "ava";
import { answerRequests } from "#sdk/answer.ts";
import { createLog } from "#sdk/log.ts";
import type { BuildEvent } from "#sdk/messages.ts";
import { serve } from "#sdk/serve.ts";
import { verifyWebhook } from "#sdk/webhook-signature.ts";
import type { Forge } from "../forge.ts";
import { openForge } from "../open-forge.ts";
import { readForgeSettings } from "../settings.ts";

export const webhookSecret = "a webhook secret of the tests";
export const appId = 4711;
export const appKey = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

type Received = { readonly headers: Headers; readonly push: PushEvent };
export type Outcome = { readonly code: number; readonly output: string };

export type ForgeOptions = {
  /** Environment of the settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** Answer of the webhook receiver; 202 unless told. */
  readonly answer?: (received: Received) => Response | Promise<Response>;
  readonly follow?: (key: string, signal: AbortSignal) => AsyncIterable<BuildEvent>;
  readonly now?: () => number;
  /** Why no owner may push now. */
  readonly refusePush?: () => string | undefined;
};

export type TestForge = Awaited<ReturnType<typeof setUpForge>>;

/** A forge behind real HTTP, a real webhook receiver, and a scratch folder; all gone after the test. */
export async function setUpForge(t: ExecutionContext, options: ForgeOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), "forge-"));
  const received: Received[] = [];
  const lines: string[] = [];
  const receiver = await serve(
    async (request) => {
      const body = new Uint8Array(await request.arrayBuffer());
      verifyWebhook(body, request.headers.get("x-hub-signature-256"), webhookSecret);
      const one = { headers: request.headers, push: JSON.parse(new TextDecoder().decode(body)) };
      received.push(one);
      return options.answer?.(one) ?? Response.json({ queued: true }, { status: 202 });
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  let forge: Forge | undefined;
  // The address is known only once the server listens, and the forge needs it.
  const server = await serve(
    (request) => (forge === undefined ? new Response(null, { status: 503 }) : answer(request)),
    { port: 0, hostname: "127.0.0.1" },
  );
  const log = createLog((line) => lines.push(line));
  const answer = answerRequests(
    (request, requestLog) => opened().handler(request, requestLog),
    log,
  );

  await open();
  t.teardown(async () => {
    await forge?.close();
    await server.close(100);
    await receiver.close(100);
    await rm(folder, { recursive: true, force: true });
  });

  return {
    folder,
    url: server.url,
    receiver,
    received,
    lines,
    get forge() {
      return opened();
    },
    open,
    async close() {
      const open = forge;
      forge = undefined;
      await open?.close();
    },
    git: (args: readonly string[], cwd = folder) => runGit(args, cwd),
    pushUrl: (login: string, name: string) => `${opened().createToken(login).pushUrl}${name}.git`,
    workTree: (files?: Readonly<Record<string, string>>) => makeWorkTree(folder, files),
    /** Webhooks received, once there are `count`. */
    webhooks: (count: number) => poll(() => (received.length >= count ? received : undefined)),
  };

  function opened(): Forge {
    if (forge === undefined) throw new Error("The forge is closed.");
    return forge;
  }

  async function open(): Promise<Forge> {
    forge = await openForge({
      dataFolder: join(folder, "data"),
      publicUrl: `${server.url}/`,
      webhookUrl: `${receiver.url}/github-event`,
      webhookSecret,
      appId,
      appPublicKeyPem: appKey.publicKey,
      followBuild: options.follow ?? followNothing,
      ...(options.refusePush && { refusePush: options.refusePush }),
      settings: readForgeSettings({ forge_retry: "50ms", ...options.env }),
      log,
      ...(options.now ? { now: options.now } : {}),
    });
    return forge;
  }
}

async function* followNothing(): AsyncIterable<BuildEvent> {
  yield { v: 1, at: 0, type: "ended", state: "live", reason: "", ms: 12, urls: [] };
}

/** A work tree with one commit on `main`. */
export async function makeWorkTree(
  folder: string,
  files: Readonly<Record<string, string>> = { "stack.yml": "functions: {}\n" },
): Promise<string> {
  const tree = await mkdtemp(join(folder, "tree-"));
  await runGit(["init", "--quiet", "--initial-branch=main"], tree);
  await commit(tree, files, "first");
  return tree;
}

/** Write files, commit them, and return the commit's id. */
export async function commit(
  tree: string,
  files: Readonly<Record<string, string>>,
  message: string,
): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, name)), { recursive: true });
    await writeFile(join(tree, name), text);
  }
  await runGit(["add", "--all"], tree);
  await runGit(["commit", "--quiet", "--allow-empty", `--message=${message}`], tree);
  return (await runGit(["rev-parse", "HEAD"], tree)).output.trim();
}

/** Run git as a user's machine would; output is both streams. */
export function runGit(args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile("git", [...args], { cwd, env: gitEnvironment() }, (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : error ? 1 : 0;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

export function gitEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin",
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: "Alice",
    GIT_AUTHOR_EMAIL: "alice@example.com",
    GIT_COMMITTER_NAME: "Alice",
    GIT_COMMITTER_EMAIL: "alice@example.com",
  };
}

/** Ask again until there is an answer; twenty seconds are enough even on a busy machine. */
export async function poll<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("Nothing came within twenty seconds.");
}
