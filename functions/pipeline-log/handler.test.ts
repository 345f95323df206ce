import test, { type ExecutionContext } from "ava";
import {
  alice,
  buildOf,
  setUp as openLedgerFor,
  push,
  repositoryOf,
  shaOf,
} from "#ledger/test-support/set-up.ts";
import { answerRequests } from "#sdk/answer.ts";
import type { Env } from "#sdk/env.ts";
import { silentLog } from "#sdk/log.ts";
import type { PipelineLog } from "#sdk/messages.ts";
import { createFileObjects } from "#sdk/object-store.ts";
import { variablesInReadme, variablesOf } from "../../test/helpers/variables.ts";
import { readConfig } from "./config.ts";
import { createHandler } from "./handler.ts";

function setUp(t: ExecutionContext, env: Env = {}) {
  const place = openLedgerFor(t);
  const { ledger } = place;
  const objects = createFileObjects(`${place.path}-objects`);
  const answer = answerRequests(
    createHandler({ config: readConfig(env), ledger, objects }),
    silentLog,
  );
  const entry: PipelineLog = {
    RepoPath: "alice/shop",
    CommitSHA: shaOf(1),
    Function: "cart",
    Source: "",
    Data: "npm ci\ndone",
  };
  return {
    ...place,
    ledger,
    objects,
    accept: (sha = shaOf(1), of = alice) =>
      buildOf(ledger.acceptPush(push({ sha, owner: of, repository: repositoryOf(of) }))),
    store: (change: Partial<PipelineLog> = {}, query = "") =>
      answer(
        new Request(`http://functions/pipeline-log${query}`, {
          method: "POST",
          body: JSON.stringify({ ...entry, ...change }),
        }),
      ),
    read: (change: Readonly<Record<string, string>> = {}) => {
      const query = { repoPath: "alice/shop", commitSHA: shaOf(1), function: "cart", ...change };
      return answer(new Request(`http://functions/pipeline-log?${new URLSearchParams(query)}`));
    },
    answer,
  };
}

test("a build log is stored under owner, repository, build and function, and read back", async (t) => {
  const { accept, store, read, objects } = setUp(t);
  const build = accept();

  const stored = await store();
  const text = await (await read({ repoPath: "Alice/Shop" })).text();

  const key = `forge:1/forge:10/${build.id}/cart.log`;
  t.is(await stored.text(), `Wrote 11 bytes to ${key}\n`);
  t.is((await objects.get(key))?.toString(), "npm ci\ndone");
  t.is(text, "npm ci\ndone");
});

test("a log that was never stored is a 404, not an empty log", async (t) => {
  const { accept, read } = setUp(t);
  accept();

  t.is((await read()).status, 404);
  t.is((await read({ repoPath: "nobody/shop" })).status, 404);
});

test("a second build of a commit keeps the first one's log, and the newest is read", async (t) => {
  const { accept, store, read, objects } = setUp(t);
  const first = accept();
  await store({ Data: "first" });
  const second = accept();

  await store({ Data: "second" }, `?build=${second.id}`);

  t.is(await (await read()).text(), "second");
  t.is((await objects.get(`forge:1/forge:10/${first.id}/cart.log`))?.toString(), "first");
});

test("of each function's logs only the last ones are kept", async (t) => {
  const { accept, store, objects, wait } = setUp(t, { pipeline_log_keep: "2" });

  const builds: string[] = [];
  for (let number = 1; number <= 4; number += 1) {
    wait(1_000);
    const build = accept(shaOf(number));
    builds.push(build.id);
    await store({ CommitSHA: build.sha, Function: number === 1 ? "rare" : "cart" });
  }

  const kept = await Promise.all(builds.map((id) => objects.list(`forge:1/forge:10/${id}`)));
  t.deepEqual(kept, [["rare.log"], [], ["cart.log"], ["cart.log"]]);
});

test("a log that is too long keeps whole lines of its end, with a note", async (t) => {
  const { accept, store, read } = setUp(t, { pipeline_log_limit_kib: "1" });
  accept();

  await store({ Data: `${"line\n".repeat(1_000)}the end` });

  const text = await (await read()).text();
  t.true(text.length <= 1_024);
  t.regex(
    text,
    /^The log has 5007 bytes, more than the 1024 that are kept; this is its end\.\nline\n/,
  );
  t.true(text.endsWith("\nthe end"));
});

for (const [what, change] of [
  ["a path for a function", { Function: "../../../etc/passwd" }],
  ["a path for a repository", { RepoPath: "alice/../bob" }],
  ["a commit that is none", { CommitSHA: "HEAD" }],
] as const) {
  test(`${what} is refused with 400, stored or read`, async (t) => {
    const { accept, store, read } = setUp(t);
    accept();
    const {
      Function: name = "cart",
      RepoPath = "alice/shop",
      CommitSHA = shaOf(1),
    } = change as Partial<PipelineLog>;

    t.is((await store(change)).status, 400);
    t.is((await read({ function: name, repoPath: RepoPath, commitSHA: CommitSHA })).status, 400);
  });
}

test("a log of a commit that was never accepted is refused, and so is another build's commit", async (t) => {
  const { accept, store } = setUp(t);
  const build = accept();

  t.is((await store({ CommitSHA: shaOf(9) })).status, 404);
  t.is((await store({ CommitSHA: shaOf(9) }, `?build=${build.id}`)).status, 404);
});

test("one owner's log is not found under another's name", async (t) => {
  const { accept, store, read } = setUp(t);
  accept();
  accept(shaOf(1), { id: "github:2", scm: "github", login: "alic" });
  await store();

  t.is((await read({ repoPath: "alic/shop" })).status, 404);
});

test("other methods are answered 405", async (t) => {
  const { answer } = setUp(t);

  t.is((await answer(new Request("http://x/pipeline-log", { method: "DELETE" }))).status, 405);
});

test("the README lists every variable", async (t) => {
  t.deepEqual(await variablesInReadme("functions/pipeline-log"), variablesOf(readConfig));
});
