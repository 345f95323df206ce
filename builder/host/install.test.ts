import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { pack } from "tar-stream";
import { serve } from "#sdk/serve.ts";
import {
  collect,
  filesOf,
  HANDLER,
  packHandler,
  poll,
  signedHeaders,
  startBuilder,
} from "../test-builder.ts";
import { readRequirements } from "./install-pip.ts";
import { filterNpmrc } from "./npmrc.ts";

/** A handler whose one package lies in its own folder, with an install script that must not run. */
const LOCAL = {
  "handler.js": "module.exports = async () => require('tea');",
  "package.json": JSON.stringify({
    dependencies: { tea: "file:vendor/tea" },
    scripts: { postinstall: "touch ../../ran" },
  }),
  "vendor/tea/package.json": JSON.stringify({
    name: "tea",
    version: "1.0.0",
    main: "tea.js",
    scripts: { install: "touch installed" },
  }),
  "vendor/tea/tea.js": "module.exports = 'green';",
};
const REMOTE = {
  "handler.js": HANDLER,
  "package.json": JSON.stringify({ dependencies: { tea: "1.0.0" } }),
};

test("npm installs what package.json asks for, without running scripts", async (t) => {
  const builder = await startBuilder(t);

  const lines = await builder.build(await packHandler(LOCAL));
  const again = await builder.build(await packHandler(LOCAL));

  const last = lines.at(-1);
  t.is(last?.status, "success", last?.error);
  t.true(lines.some(({ log }) => log?.includes("npm install")));
  const files = await filesOf(builder, last?.digest);
  t.true(files.includes("function/node_modules/tea"));
  t.false(files.some((file) => /installed|ran$/.test(file)));
  t.is(again.at(-1)?.digest, last?.digest);
  const main = join(builder.dataFolder, "artifacts", last?.digest?.slice(7) ?? "", "root/function");
  t.is(await readFile(join(main, "node_modules/tea/tea.js"), "utf8"), "module.exports = 'green';");
});

test("a lockfile is installed with npm ci, and a wrong one fails with npm's words", async (t) => {
  const builder = await startBuilder(t);
  const lock = JSON.stringify({ name: "x", lockfileVersion: 3, packages: { "": {} } });

  const lines = await builder.build(await packHandler({ ...LOCAL, "package-lock.json": lock }));

  t.is(lines.at(-1)?.error, "npm ci ended with exit code 1.");
  t.regex(lines.flatMap(({ log }) => log ?? []).join("\n"), /npm ci\n.*package-lock\.json/s);
});

test("a change of source alone reuses the installed packages, without npm or the registry", async (t) => {
  const registry = await startRegistry(t);
  const builder = await startBuilder(t);
  const locked = { ...REMOTE, "package-lock.json": registry.lockfile };

  const first = await builder.build(await packHandler(locked));
  await registry.close();
  const second = await builder.build(
    await packHandler({ ...locked, "handler.js": "module.exports = async () => require('tea');" }),
  );

  t.is(first.at(-1)?.status, "success", JSON.stringify(first));
  t.deepEqual(
    second.flatMap(({ log }) => log ?? []),
    ["npm ci: the same packages as before"],
  );
  const { digest } = second.at(-1) ?? {};
  t.not(digest, first.at(-1)?.digest);
  const files = await filesOf(builder, digest);
  t.true(files.includes("function/node_modules/tea/tea.js"));
});

test("without dependencies npm is not started at all", async (t) => {
  const builder = await startBuilder(t);
  const manifest = JSON.stringify({ devDependencies: { tea: "1.0.0" } });

  const lines = await builder.build(
    await packHandler({ "handler.js": HANDLER, "package.json": manifest }),
  );

  t.is(lines.length, 1);
  t.is(lines[0]?.status, "success");
});

const MANIFESTS: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
  ["a path that climbs", { tea: "file:../../../tea" }, /outside the function's folder/],
  ["an absolute path", { tea: "/etc/tea.tgz" }, /outside the function's folder/],
  ["an encoded path that climbs", { tea: "file:%2e%2e/%2e%2e/tea.tgz" }, /outside/],
  ["an alias of a path", { tea: "npm:x@file:../../tea" }, /outside/],
  ["a local repository", { tea: "git+file:///srv/git/bob.git" }, /use https/],
  ["SSH", { tea: "git+ssh://git@github.com/a/b.git" }, /use https/],
  ["a URL with a password", { tea: "https://a:b@example.com/t.tgz" }, /use https without/],
];
for (const [what, dependencies, reason] of MANIFESTS)
  test(`a dependency by ${what} is refused by name`, async (t) => {
    const builder = await startBuilder(t);
    const manifest = JSON.stringify({ dependencies });

    const last = (
      await builder.build(await packHandler({ "handler.js": HANDLER, "package.json": manifest }))
    ).at(-1);

    t.regex(last?.error ?? "", /^package\.json takes "tea"/);
    t.regex(last?.error ?? "", reason);
  });

test("a lockfile that takes a package from this machine is refused", async (t) => {
  const builder = await startBuilder(t);
  const lock = JSON.stringify({
    lockfileVersion: 3,
    packages: { "node_modules/tea": { version: "1.0.0", resolved: "file:///root/tea.tgz" } },
  });

  const last = (
    await builder.build(await packHandler({ ...REMOTE, "package-lock.json": lock }))
  ).at(-1);

  t.regex(last?.error ?? "", /package-lock\.json takes "node_modules\/tea" .* outside/);
});

test("package.json that is no JSON fails with the place", async (t) => {
  const builder = await startBuilder(t);

  const last = (
    await builder.build(await packHandler({ "handler.js": HANDLER, "package.json": "{,}" }))
  ).at(-1);

  t.regex(last?.error ?? "", /^package\.json is not JSON: .*position 1/);
});

test("packages a repository brought along are replaced by what npm installs", async (t) => {
  const builder = await startBuilder(t);
  const brought = { ...LOCAL, "node_modules/evil/index.js": "1" };

  const last = (await builder.build(await packHandler(brought))).at(-1);

  t.false((await filesOf(builder, last?.digest)).some((file) => file.includes("evil")));
});

test(".npmrc keeps registries and their credentials, and says what has no effect", (t) => {
  const given = [
    "registry=https://registry.example.com/",
    "@shop:registry = https://npm.example.com/",
    "//npm.example.com/:_authToken=abc",
    "legacy-peer-deps=true",
    "git=./evil.sh",
    "script-shell=./evil.sh",
    "node-options=--require ./evil.js",
    "ignore-scripts=false",
    "registry=file:///etc/",
    "cache=/var/lib",
    "fund=false",
    "; comment",
  ].join("\n");

  const { text, dropped } = filterNpmrc(given);

  t.deepEqual(text.trim().split("\n"), given.split("\n").slice(0, 4));
  t.deepEqual(dropped, [
    "git",
    "script-shell",
    "node-options",
    "ignore-scripts",
    "registry",
    "cache",
  ]);
});

test("a registry's token is not part of the artefact", async (t) => {
  const builder = await startBuilder(t);

  const last = (
    await builder.build(await packHandler({ ...LOCAL, ".npmrc": "//a.example/:_authToken=abc\n" }))
  ).at(-1);

  t.is(last?.status, "success", last?.error);
  t.false((await filesOf(builder, last?.digest)).includes("function/.npmrc"));
});

test("a caller who hangs up in the middle of an install ends npm and leaves nothing", async (t) => {
  const registry = await startHangingRegistry(t);
  const builder = await startBuilder(t, { heartbeatMs: 50 });
  const served = await serve(builder.answer, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(100));
  const leaving = new AbortController();

  const response = await fetch(`${served.url}/build`, {
    method: "POST",
    headers: signedHeaders(),
    body: await packHandler({ ...REMOTE, ".npmrc": `registry=${registry.url}\n` }),
    signal: leaving.signal,
  });
  await poll(() => registry.sockets.size > 0);
  t.is((await builder.left()).work.length, 1);
  leaving.abort();

  await poll(async () => registry.sockets.size === 0 && (await builder.left()).work.length === 0);
  await t.throwsAsync(response.text());
  t.deepEqual((await builder.left()).artifacts, []);
});

test("an install that takes too long is stopped, and heartbeats came until then", async (t) => {
  const registry = await startHangingRegistry(t);
  const builder = await startBuilder(t, { heartbeatMs: 100, buildTimeoutMs: 1_500 });

  const lines = await builder.build(
    await packHandler({ ...REMOTE, ".npmrc": `registry=${registry.url}\n` }),
  );

  t.is(lines.at(-1)?.error, "The build took longer than 1.5 s and was stopped.");
  t.true(
    lines.filter(({ log, status }) => log?.length === 0 && status === "in_progress").length > 2,
  );
  await poll(async () => (await builder.left()).work.length === 0 && registry.sockets.size === 0);
});

test("closing the builder stops what runs and tells the caller", async (t) => {
  const registry = await startHangingRegistry(t);
  const builder = await startBuilder(t);
  const building = builder.build(
    await packHandler({ ...REMOTE, ".npmrc": `registry=${registry.url}\n` }),
  );
  await poll(() => registry.sockets.size > 0);

  await builder.builder.close();

  t.regex((await building).at(-1)?.error ?? "", /builder is stopping/);
  t.deepEqual((await builder.left()).work, []);
});

test("a build beyond the concurrency waits its turn and hears how many are before it", async (t) => {
  const registry = await startHangingRegistry(t);
  const builder = await startBuilder(t, { concurrency: 1 });
  const leaving = new AbortController();
  const hanging = builder.build(
    await packHandler({ ...REMOTE, ".npmrc": `registry=${registry.url}\n` }),
    { signal: leaving.signal },
  );
  await poll(() => registry.sockets.size > 0);

  const waiting = builder.build(await packHandler({ "handler.js": HANDLER }));
  await poll(async () => (await builder.left()).work.length === 2);
  leaving.abort();
  const lines = await waiting;

  t.deepEqual(lines[0], { log: ["waiting, next in line"], status: "in_progress" });
  t.is(lines.at(-1)?.status, "success");
  t.is((await hanging).at(-1)?.error, "The caller went away.");
});

test("requirements.txt holds packages and versions, nothing that names a place", (t) => {
  const good =
    "# tea\nrequests==2.32.0\n\nuvicorn[standard]>=0.30,<1 # server\nnumpy ; python_version > '3.8'";

  t.deepEqual(readRequirements(good).length, 3);
  for (const bad of [
    "--index-url http://10.0.0.1/",
    "-e ../..",
    "tea @ file:///etc/tea.whl",
    "./tea.whl",
    "/etc/tea.whl",
    "git+https://example.com/tea",
    "..\\tea.whl",
  ])
    t.throws(() => readRequirements(bad), { message: /is not a package with a version/ }, bad);
});

/** A registry of one package, `tea`, and a lockfile that asks for it. */
async function startRegistry(t: ExecutionContext) {
  const tar = pack();
  tar.entry({ name: "package/package.json" }, '{"name":"tea","version":"1.0.0","main":"tea.js"}');
  tar.entry({ name: "package/tea.js" }, "module.exports = 'green';");
  tar.finalize();
  const tarball = gzipSync(await collect(tar));
  const served = await serve(() => new Response(tarball), { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const lockfile = JSON.stringify({
    lockfileVersion: 3,
    packages: {
      "": { dependencies: { tea: "1.0.0" } },
      "node_modules/tea": { version: "1.0.0", resolved: `${served.url}/tea-1.0.0.tgz`, integrity },
    },
  });
  return { lockfile, close: () => served.close(0) };
}

/** Takes connections and never answers. */
async function startHangingRegistry(t: ExecutionContext) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/`, sockets };
}
