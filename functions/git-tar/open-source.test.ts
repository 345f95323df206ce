import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import {
  alice,
  buildOf,
  setUp as openLedgerFor,
  push,
  repositoryOf,
} from "#ledger/test-support/set-up.ts";
import type { Build } from "#ledger/types/build.ts";
import type { PlannedFunction } from "#ledger/types/plan.ts";
import type { Repository } from "#ledger/types/repository.ts";
import { createGithubApps } from "#sdk/github-app.ts";
import { silentLog } from "#sdk/log.ts";
import { readTemplates } from "#sdk/templates.ts";
import { BuildFailed } from "./build-failed.ts";
import { createOpenSource, type SourceTools } from "./open-source.ts";
import { SourceDown } from "./source-down.ts";
import { startGitServer } from "./testing/git-server.ts";

const { signal } = new AbortController();
const owner = { ...alice, slug: "alice" };
const STACK = `provider:\n  name: openfaas\nfunctions:\n  cart:\n    lang: node24\n    handler: ./cart\n`;
const HANDLER = "module.exports = async () => {};\n";

/** A repository served by git, and how builds see it. */
async function setUp(t: ExecutionContext, changed: Partial<SourceTools> = {}) {
  const server = await startGitServer({ environment: process.env });
  const mirrors = await mkdtemp(join(tmpdir(), "sources-"));
  t.teardown(async () => {
    await server.close();
    await rm(mirrors, { recursive: true, force: true });
  });
  const open = createOpenSource({
    mirrors,
    origins: [server.origin],
    cloneUrlOf: () => server.cloneUrl,
    env: process.env,
    apps: createGithubApps({ sources: [] }),
    readHead: async () => "asked of the API",
    templates: await readTemplates(),
    dockerfile: false,
    defaults: {
      memoryLimit: "128Mi",
      scaleMin: 1,
      scaleMax: 4,
      scaleFactor: 20,
      scaleToZero: false,
      readOnlyRootFilesystem: true,
    },
    plan: {
      engine: { kind: "process", base: "v24" },
      platform: "linux/x64",
      registry: "ofc.local",
    },
    log: silentLog,
    ...changed,
  });
  return {
    server,
    open: (repository: Partial<Repository> = {}) =>
      open({ ...repositoryOf(alice), ...repository }, owner),
  };
}

function buildAt(t: ExecutionContext, sha: string): Build {
  return buildOf(openLedgerFor(t).ledger.acceptPush(push({ sha })));
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

test("a commit is fetched, planned and packed; equal files give equal bytes", async (t) => {
  const { server, open } = await setUp(t);
  const sha = await server.commit({ "stack.yml": STACK, "cart/handler.js": HANDLER });
  const build = buildAt(t, sha);

  const source = await open();
  await source.fetchCommit(sha, signal);
  const { plan, notes } = await source.plan(build, signal);
  const [cart = {} as PlannedFunction] = plan.functions;
  const first = await bytesOf(await source.packContext(build, cart, signal));
  const again = await bytesOf(await (await open()).packContext(build, cart, signal));

  t.deepEqual(notes, []);
  t.like(cart, { name: "cart", service: "alice-cart", lang: "node24" });
  t.true(first.includes(HANDLER));
  t.true(first.equals(again));
});

test("the head of a repository without the App is asked by git, with it of the API", async (t) => {
  const { server, open } = await setUp(t);
  const sha = await server.commit({ "stack.yml": STACK });

  t.is(await (await open()).readHead("main", signal), sha);
  t.is(await (await open()).readHead("gone", signal), undefined);
  t.is(await (await open({ installationId: 7 })).readHead("main", signal), "asked of the API");
});

test("a private repository without the App ends the build and says what is missing", async (t) => {
  const { server, open } = await setUp(t);
  const sha = await server.commit({ "stack.yml": STACK });
  const source = await open({ private: true });
  const expected = {
    instanceOf: BuildFailed,
    message: "the App is not installed on this private repository",
  };

  await t.throwsAsync(source.fetchCommit(sha, signal), expected);
  await t.throwsAsync(source.readHead("main", signal), expected);
});

test("a clone URL that is not at a configured source ends the build before anything is asked", async (t) => {
  const { server, open } = await setUp(t, { cloneUrlOf: () => "http://169.254.169.254/shop.git" });

  await t.throwsAsync(open(), { instanceOf: BuildFailed, message: /not at http/ });

  t.deepEqual(server.requests, []);
});

test("a commit that is gone ends the build; a source that is down is tried again", async (t) => {
  const { server, open } = await setUp(t);
  await server.commit({ "stack.yml": STACK });
  const source = await open();

  await t.throwsAsync(source.fetchCommit("d".repeat(40), signal), {
    instanceOf: BuildFailed,
    message: /^commit ddddddd is gone at its source/,
  });
  server.answerWith((_, response) => response.writeHead(503).end());
  await t.throwsAsync(source.fetchCommit("e".repeat(40), signal), { instanceOf: SourceDown });
  await t.throwsAsync(source.readHead("main", signal), { instanceOf: SourceDown });
});

test("what is wrong in stack.yml ends the build with field, value and rule", async (t) => {
  const { server, open } = await setUp(t);
  const sha = await server.commit({ "stack.yml": STACK.replace("./cart", "../cart") });
  const source = await open();
  await source.fetchCommit(sha, signal);

  const error = await t.throwsAsync(source.plan(buildAt(t, sha), signal), {
    instanceOf: BuildFailed,
    message: /^functions\.cart\.handler is "\.\.\/cart"; /,
  });

  t.is(error.ending.state, "failed");
});

test("a function whose template went away since it was planned fails alone, by name", async (t) => {
  const { server, open } = await setUp(t);
  const sha = await server.commit({ "stack.yml": STACK, "cart/handler.js": HANDLER });
  const build = buildAt(t, sha);
  const source = await open();
  await source.fetchCommit(sha, signal);
  const [cart = {} as PlannedFunction] = (await source.plan(build, signal)).plan.functions;

  await t.throwsAsync(source.packContext(build, { ...cart, lang: "cobol" }, signal), {
    instanceOf: BuildFailed,
    message: 'template "cobol" is gone; push again',
  });
});
