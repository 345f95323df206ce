import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { silentLog } from "#sdk/log.ts";
import { createBuilder } from "./builder.ts";
import {
  configEntry,
  faasCliRequest,
  filesOf,
  HANDLER,
  KEY,
  packHandler,
  packTar,
  parseLines,
  poll,
  readManifest,
  signedHeaders,
  signedRequest,
  startBuilder,
} from "./test-builder.ts";

test("a context becomes an artefact: the handler inside this machine's template", async (t) => {
  const builder = await startBuilder(t);

  const lines = await builder.build(await packHandler({ "handler.js": HANDLER, "lib/a.js": "" }));

  const last = lines.at(-1);
  t.like(last, { status: "success", image: "local/alice/shop/cart:1" });
  t.regex(last?.digest ?? "", /^sha256:[0-9a-f]{64}$/);
  t.deepEqual(await filesOf(builder, last?.digest), [
    "function/handler.js",
    "function/lib/a.js",
    "index.js",
    "invoke.js",
    "load-handler.js",
    "lock.js",
    "package.json",
    "read-body.js",
    "settings.js",
    "to-object.js",
  ]);
  t.deepEqual(await readManifest(builder, last?.digest), {
    v: 1,
    command: ["node", "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON", "index.js"],
    lang: "node24",
    env: {},
  });
});

test("the same files give the same digest, whatever their order and prefix", async (t) => {
  const builder = await startBuilder(t);
  const config = configEntry();
  const a = { "context/function/handler.js": HANDLER, "context/function/b.js": "1" };
  const b = { "./context/function/b.js": "1", "./context/function/handler.js": HANDLER };

  const first = (await builder.build(await packTar({ ...a, ...config }))).at(-1);
  const second = (await builder.build(await packTar({ ...config, ...b }))).at(-1);
  const other = (await builder.build(await packHandler({ "handler.js": `${HANDLER}//` }))).at(-1);

  t.is(first?.status, "success");
  t.is(second?.digest, first?.digest);
  t.not(other?.digest, first?.digest);
  t.is((await builder.left()).artifacts.length, 2);
});

test("files around the handler folder come from this machine, not from the context", async (t) => {
  const builder = await startBuilder(t);
  const entries = { "context/function/handler.js": HANDLER, ...configEntry() };

  const plain = (await builder.build(await packTar(entries))).at(-1);
  const foreign = await packTar({ ...entries, "context/index.js": "throw new Error()" });
  const other = (await builder.build(foreign)).at(-1);

  t.is(other?.digest, plain?.digest);
});

test.serial(
  "an artefact's files can be read by every user, whatever mode the context gave them",
  async (t) => {
    const builder = await startBuilder(t);
    const before = process.umask(0o077);
    t.teardown(async () => void process.umask(before));

    const last = (await builder.build(await packHandler({ "handler.js": HANDLER }))).at(-1);

    const home = join(builder.dataFolder, "artifacts", last?.digest?.slice(7) ?? "");
    const modes = await Promise.all(
      ["", "root", "root/function", "root/function/handler.js", "root/index.js"].map(
        async (name) => (await stat(join(home, name))).mode & 0o777,
      ),
    );
    t.deepEqual(modes, [0o755, 0o755, 0o755, 0o644, 0o644]);
  },
);

for (const lang of ["node20", "node22", "node24@sha-1234567"])
  test(`lang ${lang} is built with the template node24`, async (t) => {
    const builder = await startBuilder(t);

    const last = (await builder.build(await packHandler({ "handler.js": HANDLER }, { lang }))).at(
      -1,
    );

    t.like(await readManifest(builder, last?.digest), { lang: "node24" });
  });

test("a context of faas-cli names its template by the template's own file", async (t) => {
  const builder = await startBuilder(t);
  const tar = await packTar({
    "context/template.yml": "language: node22\nfprocess: node index.js\n",
    "context/function/handler.js": HANDLER,
    "com.openfaas.docker.config": JSON.stringify({ image: "a/b:c", buildArgs: {}, skipPush: true }),
  });

  const last = (await builder.build(tar)).at(-1);

  t.like(await readManifest(builder, last?.digest), { lang: "node24" });
});

const REFUSED: readonly [string, object, RegExp][] = [
  ["no lang", { lang: undefined }, /without containers.*Dockerfile needs an engine with BuildKit/],
  ["lang dockerfile", { lang: "Dockerfile" }, /without containers/],
  ["an unknown lang", { lang: "cobol" }, /lang "cobol" is no template .* builds .*node24/],
  ["no image", { image: undefined }, /image is required/],
  ["another owner", { ownerId: "github:2" }, /owner "github:2", the call of "github:1"/],
  ["an unknown version", { v: 2 }, /not usable/],
];
for (const [what, config, reason] of REFUSED)
  test(`a build with ${what} fails and says why`, async (t) => {
    const builder = await startBuilder(t);

    const last = (await builder.build(await packHandler({ "handler.js": HANDLER }, config))).at(-1);

    t.is(last?.status, "failed");
    t.regex(last?.error ?? "", reason);
    await poll(async () => (await builder.left()).work.length === 0);
    t.deepEqual((await builder.left()).artifacts, []);
  });

test("a context without the handler's folder fails", async (t) => {
  const builder = await startBuilder(t);

  const last = (await builder.build(await packTar({ "context/a.js": "", ...configEntry() }))).at(
    -1,
  );

  t.is(last?.error, "The build context has no folder function/.");
});

test("a call that is not signed, wrongly signed or sent twice is 401 and leaves nothing", async (t) => {
  const builder = await startBuilder(t);
  const body = await packHandler({ "handler.js": HANDLER });
  const post = (headers: Headers) =>
    builder.answer(new Request("http://builder/build", { method: "POST", headers, body }));
  const changed = signedHeaders();
  changed.set("x-owner-id", "github:2");
  const used = signedHeaders();

  await (await post(used)).text();
  const statuses = await Promise.all(
    [new Headers(), changed, used].map(async (headers) => (await post(headers)).status),
  );

  t.deepEqual(statuses, [401, 401, 401]);
  t.deepEqual((await builder.left()).work, []);
});

test("a build signed as faas-cli signs it is built, with any other signature it is 401", async (t) => {
  const builder = await startBuilder(t);
  const body = await packHandler({ "handler.js": HANDLER });
  const post = (signature: string) => {
    const request = faasCliRequest(body);
    request.headers.set("x-build-signature", signature);
    return builder.answer(request);
  };

  const good = await builder.answer(faasCliRequest(body, { lines: false, path: "/" }));
  const other = await builder.answer(faasCliRequest(body, { secret: "other" }));
  const bad = await Promise.all([post("sha256="), post("")]);

  t.is(good.status, 200);
  t.like(await good.json(), { status: "success", log: [] });
  t.deepEqual(
    [other, ...bad].map(({ status }) => status),
    [401, 401, 401],
  );
  await poll(async () => (await builder.left()).work.length === 0);
});

test("a faas-cli build over the size limit is 413 before its signature counts", async (t) => {
  const builder = await startBuilder(t, { maxContextBytes: 10_000 });
  const body = new Uint8Array(20_000);

  const { status } = await builder.answer(
    new Request("http://builder/build", {
      method: "POST",
      headers: { "x-build-signature": "sha256=00" },
      body,
    }),
  );

  t.is(status, 413);
  t.deepEqual((await builder.left()).work, []);
});

test("a caller who does not ask for lines gets one document, 422 when the build failed", async (t) => {
  const builder = await startBuilder(t);
  const request = signedRequest(await packHandler({ "handler.js": HANDLER }, { lang: "cobol" }));
  request.headers.delete("accept");

  const response = await builder.answer(request);

  t.is(response.status, 422);
  t.like(await response.json(), { status: "failed", log: [] });
});

test("other paths and verbs are refused; health answers", async (t) => {
  const { answer } = await startBuilder(t);
  const ask = async (path: string, method: string) =>
    (await answer(new Request(`http://builder${path}`, { method }))).status;

  t.is(await ask("/healthz", "GET"), 200);
  t.is(await ask("/healthz", "POST"), 405);
  t.is(await ask("/publickey", "GET"), 404);
  t.is(await ask("/build", "GET"), 405);
});

test("what a crash left in the work folder is gone after the next start", async (t) => {
  const first = await startBuilder(t);
  const leftover = join(first.dataFolder, "builder", "work", "old");
  await mkdir(leftover, { recursive: true });
  await writeFile(join(leftover, "half.tar"), "x");

  const { dataFolder } = first;
  const next = createBuilder({ dataFolder, keys: [KEY], env: {}, log: silentLog });
  t.teardown(() => next.close());
  const response = await next.handler(
    signedRequest(await packHandler({ "handler.js": HANDLER })),
    silentLog,
  );

  t.is(parseLines(await response.text()).at(-1)?.status, "success");
  await poll(async () => (await first.left()).work.length === 0);
});

test("an empty payload secret is refused at once", (t) => {
  const keys = [{ id: "a", secret: "" }];

  t.throws(() => createBuilder({ dataFolder: "/none", keys, env: {}, log: silentLog }), {
    message: /payload secret is empty/,
  });
});

test("a sweep removes what no release uses and nothing younger than asked", async (t) => {
  const builder = await startBuilder(t);
  const digests: string[] = [];
  for (const text of ["1", "2"]) {
    const lines = await builder.build(await packHandler({ "handler.js": HANDLER, "n.js": text }));
    digests.push(lines.at(-1)?.digest ?? "");
  }
  const [kept = "", unused = ""] = digests;

  const tooYoung = await builder.builder.artifacts.sweep(new Set([kept]));
  const swept = await builder.builder.artifacts.sweep(new Set([kept]), 0);

  t.deepEqual(tooYoung, []);
  t.deepEqual(swept, [unused]);
  t.deepEqual((await builder.left()).artifacts, [kept.slice(7)]);
  t.true(await builder.builder.artifacts.remove(kept));
  t.false(await builder.builder.artifacts.remove(kept));
});

test("an artefact larger than its limit fails and is not kept", async (t) => {
  const builder = await startBuilder(t, { maxArtifactBytes: 30_000 });
  const big = { "handler.js": HANDLER, "big.bin": "x".repeat(40_000) };

  const last = (await builder.build(await packHandler(big))).at(-1);

  t.regex(last?.error ?? "", /at most 30000 fit/);
  t.deepEqual((await builder.left()).artifacts, []);
});

test("artifact.json is on disk when a build says success", async (t) => {
  const builder = await startBuilder(t);
  const last = (await builder.build(await packHandler({ "handler.js": HANDLER }))).at(-1);
  const home = join(builder.dataFolder, "artifacts", last?.digest?.slice(7) ?? "");

  const handler = await readFile(join(home, "root/function/handler.js"), "utf8");

  t.is(handler, HANDLER);
});
