import { createHash, randomBytes } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import { extract, type Header } from "tar-stream";
import type { Template } from "#sdk/templates.ts";
import { FetchError } from "./fetch-error.ts";
import { packContext } from "./pack-context.ts";
import { StackError } from "./stack-error.ts";
import type { Files } from "./testing/git-server.ts";
import { openTestMirror } from "./testing/open-test-mirror.ts";

const template: Template = {
  name: "node24",
  aliases: [],
  folder: "/templates/node24",
  handlerFolder: "function",
  digest: "",
  files: [
    { path: "Dockerfile", mode: 0o644, content: Buffer.from("FROM node\n") },
    { path: "function/handler.js", mode: 0o644, content: Buffer.from("sample\n") },
    { path: "function/package.json", mode: 0o644, content: Buffer.from("{}\n") },
    { path: "function/lib/deep.js", mode: 0o644, content: Buffer.from("deep\n") },
    { path: "start.sh", mode: 0o755, content: Buffer.from("#!/bin/sh\n") },
  ],
};

async function setUp(t: ExecutionContext, files: Files) {
  const opened = await openTestMirror({ environment: process.env });
  t.teardown(() => opened.close());
  const controller = new AbortController();
  const sha = await opened.server.commit(files);
  await opened.mirror.fetchCommit(sha, controller.signal);
  const tree = await opened.mirror.listTree(sha, controller.signal);
  return {
    ...opened,
    controller,
    pack: (changes: Partial<Parameters<typeof packContext>[0]> = {}) =>
      packContext({
        mirror: opened.mirror,
        tree,
        planned: { name: "cart", handler: "cart", copy: [] },
        template,
        config: { v: 1, image: "registry/alice/shop/cart:1", lang: "node24" },
        signal: controller.signal,
        ...changes,
      }),
  };
}

type Entry = { readonly header: Header; readonly content: Buffer };

async function unpack(stream: ReadableStream<Uint8Array>): Promise<readonly Entry[]> {
  const tar = extract();
  const entries: Entry[] = [];
  tar.on("entry", (header, content, next) => {
    const chunks: Uint8Array[] = [];
    content.on("data", (chunk) => {
      if (chunk instanceof Uint8Array) chunks.push(chunk);
    });
    content.on("end", () => {
      entries.push({ header, content: Buffer.concat(chunks) });
      next();
    });
  });
  const finished = new Promise<void>((resolve, reject) => {
    tar.on("finish", () => resolve());
    tar.on("error", reject);
  });
  for await (const chunk of stream) tar.write(chunk);
  tar.end(undefined);
  await finished;
  return entries;
}

/** `path` → content, link target or `/`. */
function outline(entries: readonly Entry[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(({ header, content }) => {
      if (header.type === "directory") return [header.name, "/"];
      return [header.name, header.type === "symlink" ? `-> ${header.linkname}` : String(content)];
    }),
  );
}

test("the settings come first, then the handler over the template's sample", async (t) => {
  const { pack } = await setUp(t, {
    "stack.yml": "x",
    "cart/handler.js": "mine\n",
    "cart/run.sh": { script: "#!/bin/sh\n" },
    "cart/link": { link: "handler.js" },
    "cart/build/skipped": "x",
    "cart/template/skipped": "x",
    "cart/src/build/kept": "kept",
    "common/shared.js": "shared\n",
    "README.md": "x",
  });

  const entries = await unpack(
    await pack({ planned: { name: "cart", handler: "cart", copy: ["common"] } }),
  );

  t.deepEqual(outline(entries), {
    "com.openfaas.docker.config": '{"v":1,"image":"registry/alice/shop/cart:1","lang":"node24"}',
    context: "/",
    "context/Dockerfile": "FROM node\n",
    "context/function": "/",
    "context/function/common": "/",
    "context/function/common/shared.js": "shared\n",
    "context/function/handler.js": "mine\n",
    "context/function/lib": "/",
    "context/function/lib/deep.js": "deep\n",
    "context/function/link": "-> handler.js",
    "context/function/package.json": "{}\n",
    "context/function/run.sh": "#!/bin/sh\n",
    "context/function/src": "/",
    "context/function/src/build": "/",
    "context/function/src/build/kept": "kept",
    "context/start.sh": "#!/bin/sh\n",
  });
  t.is(entries[0]?.header.name, "com.openfaas.docker.config");
});

test("owners, times and modes are fixed, so equal commits give equal bytes", async (t) => {
  const { pack } = await setUp(t, { "cart/handler.js": "1", "cart/run.sh": { script: "x" } });

  const [first, second] = [await bytesOf(await pack()), await bytesOf(await pack())];

  t.deepEqual(first, second);
  const entries = await unpack(ReadableStream.from([first]));
  for (const { header } of entries) {
    t.like(header, { uid: 0, gid: 0, mtime: new Date("1980-01-02T00:00:00Z") });
  }
  const modes = new Set(
    entries.filter(({ header }) => header.type === "file").map(({ header }) => header.mode),
  );
  t.deepEqual([...modes].sort(), [0o600, 0o644, 0o755]);
});

test("a function with its own Dockerfile is the whole context", async (t) => {
  const { pack } = await setUp(t, { "cart/Dockerfile": "FROM scratch\n", "cart/a": "1" });

  const entries = await unpack(await pack({ template: undefined }));

  t.deepEqual(Object.keys(outline(entries)).slice(1), [
    "context",
    "context/Dockerfile",
    "context/a",
  ]);
});

test("a .dockerignore beside the handler leaves files out, never the Dockerfile", async (t) => {
  const { pack } = await setUp(t, {
    "cart/.dockerignore": "*\n!src\nsrc/*.log\n",
    "cart/Dockerfile": "FROM scratch\n",
    "cart/node_modules/a/index.js": "x",
    "cart/src/a.js": "1",
    "cart/src/a.log": "1",
  });

  const entries = await unpack(await pack({ template: undefined }));

  t.deepEqual(Object.keys(outline(entries)).slice(2), [
    "context/.dockerignore",
    "context/Dockerfile",
    "context/src",
    "context/src/a.js",
  ]);
});

test("a file of the owner replaces a folder of the template, and a folder a file", async (t) => {
  const { pack } = await setUp(t, {
    "cart/lib": "a file",
    "cart/handler.js/index.js": "in a folder",
  });

  const names = Object.keys(outline(await unpack(await pack())));

  t.deepEqual(
    names.filter((name) => name.startsWith("context/function/")),
    [
      "context/function/handler.js",
      "context/function/handler.js/index.js",
      "context/function/lib",
      "context/function/package.json",
    ],
  );
});

test("a link of the owner in the place of the template's folder has nothing below it", async (t) => {
  const { pack } = await setUp(t, { "cart/lib": { link: "../start.sh" } });

  const outlined = outline(await unpack(await pack()));

  t.is(outlined["context/function/lib"], "-> ../start.sh");
  t.false("context/function/lib/deep.js" in outlined);
});

for (const [title, target] of [
  ["to a file of the host", "/etc/passwd"],
  ["to the platform's secrets", "../../../../var/openfaas/secrets/payload-secret"],
  ["to another function of the repository", "../../cart2/secret.js"],
] as const) {
  test(`a link ${title} is refused before the first byte`, async (t) => {
    const { pack } = await setUp(t, {
      "cart/a/link": { link: `../${target}`.replace("..//", "/") },
      "cart2/secret.js": "x",
    });

    const error = await t.throwsAsync(pack(), { instanceOf: StackError });

    t.regex(
      error.message,
      /^the link "function\/a\/link" -> ".+" leaves the function's folder; use configuration\.copy/,
    );
  });
}

test("a submodule in the handler is refused", async (t) => {
  const { server, mirror, pack, controller } = await setUp(t, { "cart/a": "1" });
  await server.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},cart/lib`);
  await server.git("commit", "--quiet", "--message", "submodule");
  const sha = await server.git("rev-parse", "HEAD");
  await mirror.fetchCommit(sha, controller.signal);

  const tree = await mirror.listTree(sha, controller.signal);

  await t.throwsAsync(pack({ tree }), {
    instanceOf: StackError,
    message: /^"cart\/lib" is a submodule/,
  });
});

test("long paths, odd names and large files arrive whole", async (t) => {
  const large = randomBytes(3_000_000);
  const path = `cart/${"folder/".repeat(60)}größe 'n \\ "$(id)"; -x.bin`;
  const { pack } = await setUp(t, { [path]: large, "cart/empty": "", "cart/-rf": "x" });

  const entries = await unpack(await pack());

  const found = entries.find(({ header }) => header.name === `context/function/${path.slice(5)}`);
  t.is(hash(found?.content), hash(large));
  t.deepEqual(
    entries.find(({ header }) => header.name === "context/function/empty")?.content.length,
    0,
  );
  t.true(entries.some(({ header }) => header.name === "context/function/-rf"));
});

test("two thousand files arrive in order", async (t) => {
  const files = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, i) => [`cart/${i % 20}/${i}.js`, `${i}`]),
  );
  const { pack } = await setUp(t, files);

  const outlined = outline(await unpack(await pack({ template: undefined })));

  const wrong = Object.entries(files).filter(
    ([path, content]) => outlined[`context/${path.slice(5)}`] !== content,
  );
  t.deepEqual(wrong, []);
});

test("a reader that stops early ends git", async (t) => {
  const { pack } = await setUp(t, { "cart/a": randomBytes(20_000_000) });
  const reader = (await pack()).getReader();

  await reader.read();
  await reader.cancel();

  // A git left behind would keep this process, and so the test run, alive.
  t.true((await reader.read()).done);
});

test("a build that is given up ends the stream with the reason", async (t) => {
  const { pack, controller } = await setUp(t, { "cart/a": randomBytes(20_000_000) });
  const stream = await pack();

  const reading = bytesOf(stream);
  controller.abort(new Error("superseded"));

  await t.throwsAsync(reading, { message: "superseded" });
});

test("a blob that is gone ends the stream with an error, not with a short file", async (t) => {
  const { pack, mirror } = await setUp(t, { "cart/a": "1" });
  const tree = [{ path: "cart/a", kind: "file", id: "1".repeat(40), sizeBytes: 1 }] as const;

  const stream = await pack({ tree, mirror });

  await t.throwsAsync(bytesOf(stream), { instanceOf: FetchError, code: "broken" });
});

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

function hash(content: Buffer | undefined): string {
  return createHash("sha256")
    .update(content ?? "")
    .digest("hex");
}
