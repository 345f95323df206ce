import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { TEMPLATES_FOLDER } from "#sdk/templates.ts";
import { poll, type Running, startServer } from "./test-process.ts";

type Files = Readonly<Record<string, string>>;

const JSON_TYPE = { "content-type": "application/json" };
const TEXT_TYPE = { "content-type": "text/plain" };
/** Gives back what it was called with. */
const TELL = `module.exports = async ({ body, method, path, query, headers }) => ({
  body, isBuffer: Buffer.isBuffer(body), method, path, query, type: headers["content-type"],
});`;

const HANDLERS: Readonly<Record<string, Files>> = {
  "a CommonJS handler": { "handler.js": "module.exports = async () => 'hello';" },
  "an ES module in handler.js": { "handler.js": "export default async () => 'hello';" },
  "handler.mjs": { "handler.mjs": "export default async () => 'hello';" },
  "handler.cjs": { "handler.cjs": "module.exports = () => 'hello';" },
  TypeScript: {
    "handler.ts": "type Word = string;\nexport default async (): Promise<Word> => 'hello';",
  },
  "CommonJS compiled from TypeScript": {
    "handler.cjs": "exports.__esModule = true; exports.default = async () => 'hello';",
  },
  "an export named handle": { "handler.mjs": "export async function handle() { return 'hello'; }" },
  "a callback": {
    "handler.js": "module.exports = (event, context, callback) => callback(undefined, 'hello');",
  },
  "a callback that comes later": {
    "handler.js":
      "module.exports = (event, context, callback) => { setTimeout(() => callback(undefined, 'hello'), 30); };",
  },
  "context.succeed": {
    "handler.js": "module.exports = async (event, context) => context.succeed('hello');",
  },
  "context.status(…).succeed": {
    "handler.js":
      "module.exports = async (event, context) => context.status(200).succeed('hello');",
  },
  "context.cb": {
    "handler.js": "module.exports = async (event, context) => context.cb(null, 'hello');",
  },
  "a stream": {
    "handler.js":
      "const { Readable } = require('node:stream'); module.exports = async () => Readable.from(['hel', 'lo']);",
  },
};

for (const [name, files] of Object.entries(HANDLERS)) {
  test(`${name} answers`, async (t) => {
    const server = await startHandler(t, files);

    const { status, text } = await server.ask("/");

    t.deepEqual([status, text], [200, "hello"]);
  });
}

test("a body arrives as its content type says", async (t) => {
  const server = await startHandler(t, { "handler.js": TELL });
  const tell = async (type: string | undefined, body: string) => {
    const headers: Record<string, string> = type ? { "content-type": type } : {};
    return JSON.parse((await server.ask("/", { body, headers })).text).body;
  };

  t.deepEqual(await tell("application/json; charset=utf-8", '{"a":[1]}'), { a: [1] });
  t.deepEqual(await tell("application/cloudevents+json", '{"a":1}'), { a: 1 });
  t.is(await tell("text/csv", "a,b"), "a,b");
  t.is(await tell(undefined, "plain"), "plain");
  t.deepEqual(await tell("application/x-www-form-urlencoded", "a=1&b=2&b=3&c[]=4&__proto__=5"), {
    a: "1",
    b: ["2", "3"],
    c: ["4"],
    ["__proto__"]: "5",
  });
  t.deepEqual(await tell("application/octet-stream", "raw"), {
    type: "Buffer",
    data: [114, 97, 119],
  });
});

test("method, path and query arrive, and a request without a body has an empty object", async (t) => {
  const server = await startHandler(t, { "handler.js": TELL });

  const { text, headers } = await server.ask("/a/b%20c?x=1&y=2&y=3&z", { method: "DELETE" });

  t.deepEqual(JSON.parse(text), {
    body: {},
    isBuffer: false,
    method: "DELETE",
    path: "/a/b%20c",
    query: { x: "1", y: ["2", "3"], z: "" },
    type: "text/plain",
  });
  t.is(headers["content-type"], "application/json; charset=utf-8");
});

test("RAW_BODY hands over bytes whatever their type", async (t) => {
  const server = await startHandler(t, { "handler.js": TELL }, { RAW_BODY: "true" });

  const { text } = await server.ask("/", { body: '{"a":1}', headers: JSON_TYPE });

  t.true(JSON.parse(text).isBuffer);
});

test("a body over its limit is 413, over a raised limit it is taken", async (t) => {
  const body = JSON.stringify("x".repeat(150_000));
  const usual = await startHandler(t, { "handler.js": TELL });
  const raised = await startHandler(t, { "handler.js": TELL }, { MAX_JSON_SIZE: "1mb" });

  const refused = await usual.ask("/", { body, headers: JSON_TYPE });
  const chunked = await usual.ask("/", {
    body,
    headers: { ...JSON_TYPE, "transfer-encoding": "chunked" },
  });
  const taken = await raised.ask("/", { body, headers: JSON_TYPE });

  t.deepEqual([refused.status, chunked.status, taken.status], [413, 413, 200]);
  t.regex(refused.text, /larger than 102400 bytes; raise MAX_JSON_SIZE/);
});

test("a body that is not the JSON it claims to be is 400 and never reaches the handler", async (t) => {
  const server = await startHandler(t, { "handler.js": TELL });

  const { status, text } = await server.ask("/", { body: "{", headers: JSON_TYPE });

  t.is(status, 400);
  t.regex(text, /^The body is not JSON: /);
});

test("status and headers are the handler's, and bytes stay bytes", async (t) => {
  const server = await startHandler(t, {
    "handler.js": `module.exports = async (event, context) => context
      .status(418).headers({ "content-type": "image/x-tea", "x-cups": "2" }).succeed(Buffer.from("tea"));`,
  });

  const { status, headers, text } = await server.ask("/");

  t.is(status, 418);
  t.is(text, "tea");
  t.like(headers, { "content-type": "image/x-tea", "x-cups": "2" });
});

test("what a handler throws is a 500 with its message, and its trace is in the log", async (t) => {
  const server = await startHandler(t, {
    "handler.js": "module.exports = async () => { throw new Error('no tea'); };",
  });

  const { status, text, headers } = await server.ask("/");

  t.deepEqual([status, text], [500, "Error: no tea"]);
  t.is(headers["content-type"], "text/plain; charset=utf-8");
  await poll(() => /no tea\n\s+at .*handler\.js/.test(server.output()));
});

test("context.fail keeps the status the handler chose", async (t) => {
  const server = await startHandler(t, {
    "handler.js":
      "module.exports = async (event, context) => context.status(404).fail('no such tea');",
  });

  const { status, text } = await server.ask("/");

  t.deepEqual([status, text], [404, "no such tea"]);
});

test("answering twice answers once, and the server goes on", async (t) => {
  const server = await startHandler(t, {
    "handler.js": `module.exports = async (event, context) => {
      context.succeed("first"); context.succeed("second"); context.fail("third"); throw new Error("fourth");
    };`,
  });

  const first = await server.ask("/");
  const again = await server.ask("/");

  t.deepEqual([first.text, again.text], ["first", "first"]);
});

test("a header that HTTP cannot carry is a 500, not a hanging request", async (t) => {
  const server = await startHandler(t, {
    "handler.js": `module.exports = async (event, context) => context.headers({ "x-a": "b\\nc" }).succeed("x");`,
  });

  const { status } = await server.ask("/");

  t.is(status, 500);
});

test("a handler imports packages from its own node_modules and its own files", async (t) => {
  const server = await startHandler(t, {
    "handler.mjs":
      "import tea from 'tea'; import { cups } from './cups.ts'; export default async () => tea + cups;",
    "cups.ts": "export const cups: number = 2;",
    "node_modules/tea/package.json": '{"name":"tea","version":"1.0.0","main":"tea.js"}',
    "node_modules/tea/tea.js": "module.exports = 'green ';",
  });

  const { text } = await server.ask("/", { body: "", headers: TEXT_TYPE });

  t.is(text, "green 2");
});

test("a handler that cannot be loaded ends the process with the reason", async (t) => {
  const broken = await startHandler(
    t,
    { "handler.js": "throw new Error('no kettle');" },
    {},
    false,
  );
  const empty = await startHandler(t, { "handler.js": "module.exports = { tea: 1 };" }, {}, false);

  t.is(await broken.ended, 1);
  t.is(await empty.ended, 1);
  t.regex(broken.output(), /no kettle/);
  t.regex(empty.output(), /handler\.js exports no function/);
});

for (const exec_timeout of ["soon", "597h"]) {
  test(`exec_timeout "${exec_timeout}", which no timer could wait for, ends the process naming it`, async (t) => {
    const server = await startHandler(t, { "handler.js": TELL }, { exec_timeout }, false);

    t.is(await server.ended, 1);
    t.regex(server.output(), /exec_timeout is "\w+"; expected a duration .* up to 596h/);
  });
}

async function startHandler(
  t: ExecutionContext,
  files: Files,
  env: Readonly<Record<string, string>> = {},
  healthy = true,
): Promise<Running> {
  const cwd = await mkdtemp(join(tmpdir(), "ofc-node24-"));
  t.teardown(() => rm(cwd, { recursive: true, force: true }));
  await cp(join(TEMPLATES_FOLDER, "node24"), cwd, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = join(cwd, "function", name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const command = [
    process.execPath,
    "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
    "index.js",
  ] as const;
  return startServer(t, command, { env, cwd, healthy });
}
