import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { serve } from "#sdk/serve.ts";
import { TEMPLATES_FOLDER } from "#sdk/templates.ts";
import { buildGoProgram, GO_BUILD_MS, goMissing } from "../test/helpers/go-program.ts";
import { runWithInput } from "../test/helpers/run-with-input.ts";
import { dockerMissing, startDocker } from "../test/helpers/start-docker.ts";
import { BASE, runIn, shareBuildkit } from "./buildkit/test-buildkit.ts";
import { logOf, startImageBuilder } from "./image/test-image-builder.ts";
import type { BuilderSettings } from "./settings.ts";
import { type Entries, filesOf, HANDLER, KEY, parseLines, startBuilder } from "./test-builder.ts";

/** The client of `faas-cli publish --remote-builder`, in the version that release 0.18.12 has of it. */
const CLIENT = {
  name: "remote-builder",
  package: "github.com/openfaas/go-sdk/builder",
  version: "v0.2.22",
  main: join(import.meta.dirname, "../test/peers/remote-builder/main.go"),
};

const { dockerTest: peerTest, setUp } = shareBuildkit(test, "faas-cli's builds are not tested", {
  missing: goMissing ?? dockerMissing,
  start: startDocker,
});
const hostTest = goMissing === undefined ? test : test.skip;
let client = "";
test.before(async (t) => {
  t.timeout(GO_BUILD_MS);
  if (goMissing === undefined) client = await buildGoProgram(CLIENT);
});

/** A template with a sample handler, and the handler that is laid over it. */
const FILES: Entries = {
  "template/tea/template.yml": "language: tea\nfprocess: cat /function/handler\n",
  "template/tea/Dockerfile": [
    `FROM ${BASE}`,
    "ARG WHO=nobody",
    "COPY function /function",
    'RUN echo "$WHO" > /who && echo brewed',
  ].join("\n"),
  "template/tea/function/handler": "sample",
  "template/tea/function/extra": "extra",
  "cart/handler": "cart's own",
  "cart/build/left-out": "",
};
/** Secrets do not count for the cache, so each test has steps of its own. */
const readsSecret = (step: string) =>
  [
    `FROM ${BASE}`,
    `RUN --mount=type=secret,id=token,required=true sha256sum < /run/secrets/token > /${step}`,
    `RUN --mount=type=secret,id=token echo ${step} read $(cat /run/secrets/token)`,
  ].join("\n");

type Job = {
  readonly PayloadSecret?: string;
  readonly PublicKey?: string;
  readonly Secrets?: Readonly<Record<string, string>>;
  readonly Stream?: boolean;
  readonly Language?: string;
  readonly Config?: { readonly image: string; readonly buildArgs?: Entries };
};

/** An image builder at an address, and the client with a folder to build from. */
async function start(
  t: ExecutionContext,
  files: Entries = {},
  settings: Partial<BuilderSettings> = {},
) {
  const there = await setUp();
  const { answer } = await startImageBuilder(t, there.address, { settings });
  return { ...there, ...(await startClient(t, answer, files)) };
}

async function startClient(
  t: ExecutionContext,
  answer: (request: Request) => Promise<Response>,
  files: Entries,
) {
  const seen: string[] = [];
  const served = await serve(
    (request) => {
      seen.push(`${new URL(request.url).pathname} ${request.headers.get("accept")}`);
      return answer(request);
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => served.close(0));
  const folder = await mkdtemp(join(tmpdir(), "ofc-client-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries({ ...FILES, ...files })) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  const defaults = {
    URL: served.url,
    PayloadSecret: KEY.secret,
    Folder: folder,
    Name: "cart",
    Handler: "./cart",
    Language: "tea",
  };
  return {
    url: served.url,
    folder,
    /** Paths and `accept` headers that came. */
    seen,
    build: (job: Job) => runClient({ ...defaults, ...job }),
  };
}

async function runClient(job: Job) {
  const { out, ...ended } = await runWithInput(client, [], JSON.stringify(job));
  return { lines: parseLines(out), ...ended };
}

function sha256(value: string): string {
  return createHash("sha256").update(value).digest("hex");
}

async function readPublicKey(url: string): Promise<string> {
  const answer = await fetch(new URL("/publickey", url));
  return ((await answer.json()) as { public_key: string }).public_key;
}

peerTest("a template with a handler over it is built while the client reads lines", async (t) => {
  const { build, seen, ...there } = await start(t);
  const image = "ofc.local/peer/streamed:1";

  const { lines, error, code } = await build({
    Stream: true,
    Config: { image, buildArgs: { WHO: "alice" } },
  });

  t.is(code, 0, error);
  t.like(lines.at(-1), { status: "success", image });
  t.true(lines.slice(0, -1).every(({ status }) => status === "in_progress"));
  t.regex(logOf(lines), /\nbrewed(\n|$)/);
  t.deepEqual(seen, ["/build application/x-ndjson"]);
  const files = ["/function/handler", "/function/extra", "/who"];
  t.is(await runIn(there, image, "cat", ...files), "cart's ownextraalice\n");
  t.is(await runIn(there, image, "ls", "-1", "/function"), "extra\nhandler\n");
});

peerTest("a client that reads one document gets the whole log in it", async (t) => {
  const { build, seen, docker } = await start(t);
  const image = "ofc.local/peer/whole:1";

  const { lines, error } = await build({ Config: { image } });

  t.is(lines.length, 1, error);
  t.like(lines[0], { status: "success", image });
  t.regex(logOf(lines), /\nbrewed(\n|$)/);
  t.deepEqual(seen, ["/build null"]);
  t.regex((await docker.api.getImage(image).inspect()).Id, /^sha256:/);
});

for (const Stream of [true, false])
  peerTest(
    `sealed build secrets reach RUN and nothing else${Stream ? ", while the client reads lines" : ""}`,
    async (t) => {
      const step = `stream-${Stream}`;
      const { build, url, ...there } = await start(t, { "cart/Dockerfile": readsSecret(step) });
      const image = `ofc.local/peer/sealed:${step}`;
      const token = `canary ${Stream}`;

      const { lines, error } = await build({
        Stream,
        Language: "dockerfile",
        Secrets: { token },
        PublicKey: await readPublicKey(url),
        Config: { image },
      });

      t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error ?? error);
      t.regex(logOf(lines), / read \*\*\*(\n|$)/);
      t.notRegex(JSON.stringify(lines), /canary/);
      t.is(await runIn(there, image, "cat", `/${step}`), `${sha256(token)}  -\n`);
      const history = await there.docker.api.getImage(image).history();
      t.notRegex(JSON.stringify(history), /canary/);
    },
  );

peerTest("secrets that were sealed for another key are refused with what to do", async (t) => {
  const { build } = await start(t, { "cart/Dockerfile": readsSecret("other-key") });

  const { lines, error } = await build({
    Stream: true,
    Language: "dockerfile",
    Secrets: { token: "canary" },
    PublicKey: Buffer.alloc(32, 9).toString("base64"),
    Config: { image: "ofc.local/peer/other-key:1" },
  });

  t.is(lines.at(-1)?.status, "failed", error);
  t.regex(lines.at(-1)?.error ?? "", /com\.openfaas\.secrets/);
});

for (const Stream of [true, false])
  peerTest(
    `a wrong payload secret is 401${Stream ? ", also for who asked for lines" : ""}`,
    async (t) => {
      const { build, docker } = await start(t);
      const image = "ofc.local/peer/refused:1";

      const { lines, error, code } = await build({
        Stream,
        PayloadSecret: "other",
        Config: { image },
      });

      t.deepEqual(lines, []);
      t.is(code, 1);
      t.regex(error, /builder responded with status code 401/);
      await t.throwsAsync(docker.api.getImage(image).inspect(), { message: /404/ });
    },
  );

peerTest("a step that fails ends the client's lines with failed and the reason", async (t) => {
  const Dockerfile = `FROM ${BASE}\nRUN echo before; false\n`;
  const { build } = await start(t, { "cart/Dockerfile": Dockerfile });
  const job = { Language: "dockerfile", Config: { image: "ofc.local/peer/failed:1" } };

  const streamed = await build({ ...job, Stream: true });
  const whole = await build(job);

  t.is(streamed.lines.at(-1)?.status, "failed", streamed.error);
  t.regex(streamed.lines.at(-1)?.error ?? "", /Step ".*false" failed/);
  t.regex(logOf(streamed.lines), /\nbefore(\n|$)/);
  t.regex(whole.error, /builder responded with status code 422/);
});

peerTest("a silent step and very long lines do not end the client's reading", async (t) => {
  const Dockerfile = `FROM ${BASE}\nRUN yes | head -c 300000 | tr -d "\\n"; sleep 1; echo; echo end\n`;
  const { build } = await start(t, { "cart/Dockerfile": Dockerfile }, { heartbeatMs: 50 });

  const { lines, error } = await build({
    Stream: true,
    Language: "dockerfile",
    Config: { image: "ofc.local/peer/silent:1" },
  });

  t.is(lines.at(-1)?.status, "success", lines.at(-1)?.error ?? error);
  t.true(lines.filter(({ log }) => log?.length === 0).length >= 5);
  t.regex(logOf(lines), /yyyy.*\nend(\n|$)/s);
});

hostTest("a context of a template of ours is built without containers, too", async (t) => {
  const builder = await startBuilder(t);
  const { build, folder } = await startClient(t, builder.answer, { "cart/handler.js": HANDLER });
  await cp(join(TEMPLATES_FOLDER, "node24"), join(folder, "template/node24"), { recursive: true });

  const { lines, error } = await build({
    Stream: true,
    Language: "node24",
    Config: { image: "alice/cart:1" },
  });

  t.like(lines.at(-1), { status: "success", image: "alice/cart:1" }, error);
  const [artifact = ""] = (await builder.left()).artifacts;
  const files = await filesOf(builder, artifact);
  t.true(
    ["function/handler", "function/handler.js", "index.js"].every((name) => files.includes(name)),
  );
});
