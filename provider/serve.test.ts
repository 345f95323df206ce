import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { type ExecutionContext } from "ava";
import { z } from "zod";
import { answerRequests } from "#sdk/answer.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { call as callFunction } from "./contract/contract-kit.ts";
import { openUnderTest } from "./process/test-kit.ts";
import { createProvider, type ProviderOptions } from "./serve.ts";
import { eventually } from "./test-kit.ts";

const nowhere = `nowhere:1@sha256:${"0".repeat(64)}`;

test("a client that updates first and creates on 404 gets its function, as faas-cli does", async (t) => {
  const { call, image } = await setUp(t);
  const deployment = { service: "fn", image, labels: null, annotations: null };

  const update = await call("PUT", "/system/functions", deployment);
  const create = await call("POST", "/system/functions", deployment);
  const status = await call("GET", "/system/function/fn");
  const again = await call("POST", "/system/functions", deployment);

  t.deepEqual([update.status, create.status, create.text, status.status], [404, 202, "", 200]);
  const { createdAt: _, ...shown } = fields.parse(status.json());
  t.like(shown, {
    name: "fn",
    image,
    namespace: "openfaas-fn",
    labels: { faas_function: "fn" },
    annotations: {},
    replicas: 1,
  });
  t.is(again.status, 409);
});

test("with wait=true the answer comes once the function serves", async (t) => {
  const { call, engine, image } = await setUp(t);

  const created = await call("POST", "/system/functions?wait=true", {
    service: "fn",
    image,
    envVars: { version: "one" },
  });

  t.is(created.status, 202);
  t.is(await callFunction(engine, "fn"), "one");
});

test("with wait=true a version that does not start is 424 with the reason and its last lines", async (t) => {
  const { call, image } = await setUp(t);
  const envVars = { behaviour: "exit" };

  const refused = await call("POST", "/system/functions?wait=true", {
    service: "fn",
    image,
    envVars,
  });

  t.is(refused.status, 424);
  t.is(refused.field("code"), "never-healthy");
  t.regex(refused.text, /exited with code 7.*cannot start: no database/);
});

test("without wait a version that does not start is taken, and its status tells the problem", async (t) => {
  const { call, image } = await setUp(t);
  const envVars = { behaviour: "exit" };

  const taken = await call("POST", "/system/functions", { service: "fn", image, envVars });

  t.is(taken.status, 202);
  const problem = async () => (await call("GET", "/system/function/fn")).field("problem");
  t.regex(String(await eventually(problem, (one: unknown) => one !== undefined)), /code 7/);
});

for (const [title, method, path, body, status] of [
  [
    "an image that is not there",
    "POST",
    "/system/functions",
    { service: "fn", image: nowhere },
    400,
  ],
  [
    "a secret that is not there",
    "POST",
    "/system/functions",
    { service: "fn", image: "", secrets: ["s"] },
    400,
  ],
  [
    "a name that is not a DNS label",
    "POST",
    "/system/functions",
    { service: "F", image: nowhere },
    400,
  ],
  [
    "the system's namespace in a body",
    "POST",
    "/system/functions",
    { service: "fn", image: nowhere, namespace: "openfaas-system" },
    400,
  ],
  [
    "the system's namespace in a query",
    "GET",
    "/system/functions?namespace=openfaas-system",
    undefined,
    400,
  ],
  [
    "the system's namespace in a status",
    "GET",
    "/system/function/fn?namespace=openfaas-system",
    undefined,
    400,
  ],
  [
    "the system's namespace in a name",
    "GET",
    "/system/function/fn.openfaas-system",
    undefined,
    400,
  ],
  [
    "the system's namespace when scaling",
    "POST",
    "/system/scale-function/fn?namespace=openfaas-system",
    { replicas: 1 },
    400,
  ],
  [
    "the system's namespace when removing",
    "DELETE",
    "/system/functions?namespace=openfaas-system",
    { functionName: "fn" },
    400,
  ],
  [
    "the system's namespace of secrets",
    "GET",
    "/system/secrets?namespace=openfaas-system",
    undefined,
    400,
  ],
  ["a status of nothing", "GET", "/system/function/missing", undefined, 404],
  ["a removal of nothing", "DELETE", "/system/functions", { functionName: "missing" }, 404],
  ["a removal without a name", "DELETE", "/system/functions", {}, 400],
  ["scaling nothing", "POST", "/system/scale-function/missing", { replicas: 1 }, 404],
  ["a wake of nothing", "POST", "/wake/fn--1a2b3c4", undefined, 404],
  ["a wake of a function", "POST", "/wake/fn", undefined, 404],
  ["negative replicas", "POST", "/system/scale-function/fn", { replicas: -1 }, 400],
  ["half a replica", "POST", "/system/scale-function/fn", { replicas: 0.5 }, 400],
  [
    "another name in the body",
    "POST",
    "/system/scale-function/fn",
    { serviceName: "other", replicas: 1 },
    400,
  ],
  ["a secret without a name", "POST", "/system/secrets", { value: "x" }, 400],
  [
    "a secret's name that leaves its folder",
    "POST",
    "/system/secrets",
    { name: "../x", value: "x" },
    400,
  ],
  ["a secret that is not base64", "POST", "/system/secrets", { name: "x", rawValue: "?" }, 400],
  ["an update of no secret", "PUT", "/system/secrets", { name: "missing", value: "x" }, 404],
  ["a removal of no secret", "DELETE", "/system/secrets", { name: "missing" }, 404],
  ["logs without a name", "GET", "/system/logs", undefined, 400],
  ["logs of nothing", "GET", "/system/logs?name=missing", undefined, 404],
  ["a tail that is no number", "GET", "/system/logs?name=fn&tail=x", undefined, 422],
  ["a since that is no time", "GET", "/system/logs?name=fn&since=x", undefined, 422],
  [
    "wait with nonsense",
    "POST",
    "/system/functions?wait=maybe",
    { service: "fn", image: nowhere },
    400,
  ],
  ["another namespace", "GET", "/system/namespace/other", undefined, 404],
  ["a new namespace", "POST", "/system/namespace/", { name: "other" }, 501],
  ["a path that is not there", "GET", "/system/nothing", undefined, 404],
  ["a path that climbs", "GET", "/system/function/..%2f..%2fsecrets", undefined, 400],
] as const) {
  test(`${title} is answered ${status} with a reason`, async (t) => {
    const { call } = await getShared();

    const answer = await call(method, path, body);

    t.is(answer.status, status);
    t.true(String(answer.field("message")).length > 10, answer.text);
  });
}

test("secrets are listed with their namespace and never with their values", async (t) => {
  const { call } = await setUp(t);

  const answers = [
    await call("POST", "/system/secrets", { name: "text", namespace: "openfaas-fn", value: "v" }),
    await call("POST", "/system/secrets", { name: "raw", value: "x", rawValue: "AAEC" }),
    await call("POST", "/system/secrets", { name: "raw", value: "x" }),
    await call("PUT", "/system/secrets", { name: "text", value: "w" }),
  ];
  const listed = await call("GET", "/system/secrets");
  const removed = await call("DELETE", "/system/secrets", { name: "raw" });

  t.deepEqual(
    [...answers, listed, removed].map(({ status }) => status),
    [202, 202, 409, 202, 200, 202],
  );
  t.deepEqual(listed.json(), [
    { name: "raw", namespace: "openfaas-fn" },
    { name: "text", namespace: "openfaas-fn" },
  ]);
});

test("bytes of a secret win over its text and reach the function unchanged", async (t) => {
  const { call, engine, image } = await setUp(t);
  const rawValue = Buffer.from("bytes\n").toString("base64");
  await call("POST", "/system/secrets", { name: "raw", value: "text", rawValue });

  await call("POST", "/system/functions?wait=true", { service: "fn", image, secrets: ["raw"] });

  t.is(await callFunction(engine, "fn", "/read?path=/var/openfaas/secrets/raw"), "bytes\n");
});

test("scaling is read back at once, and a removed function is gone at once", async (t) => {
  const { call, image } = await setUp(t);
  await call("POST", "/system/functions", { service: "fn", image });

  const scaled = await call("POST", "/system/scale-function/fn", {
    serviceName: "fn",
    replicas: 0,
  });
  const asleep = await call("GET", "/system/function/fn.openfaas-fn");
  const removed = await call("DELETE", "/system/functions", { functionName: "fn", namespace: "" });
  const gone = await call("GET", "/system/function/fn");

  t.deepEqual(
    [scaled.status, asleep.field("replicas"), removed.status, gone.status],
    [202, 0, 202, 404],
  );
  t.deepEqual((await call("GET", "/system/functions")).json(), []);
});

test("info, namespaces and health are what the certifier asks for", async (t) => {
  const { call } = await setUp(t);

  const info = (await call("GET", "/system/info")).json();

  t.deepEqual(info, {
    provider: "openfaas-cloud",
    version: { sha: "abc", release: "1.0" },
    orchestration: "process",
  });
  t.deepEqual((await call("GET", "/system/namespaces")).json(), ["openfaas-fn"]);
  t.is((await call("GET", "/system/namespace/openfaas-fn")).field("name"), "openfaas-fn");
  t.is((await call("GET", "/healthz")).status, 200);
});

test("with credentials everything but health asks for them", async (t) => {
  const { call } = await setUp(t, { credentials: { user: "admin", password: "right" } });
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

  const answers = await Promise.all([
    call("GET", "/system/functions"),
    call("GET", "/system/functions", undefined, basic("admin:wrong")),
    call("GET", "/system/functions", undefined, basic("admin:right")),
    call("GET", "/endpoints"),
    call("GET", "/system/namespaces"),
    call("GET", "/healthz"),
  ]);

  t.deepEqual(
    answers.map(({ status }) => status),
    [401, 401, 200, 401, 401, 200],
  );
});

test("a log is JSON lines, ends without follow, and goes on with it until the reader leaves", async (t) => {
  const { call, stream, engine, image } = await setUp(t);
  await call("POST", "/system/functions?wait=true", { service: "fn", image });
  await callFunction(engine, "fn", "/print?text=one");

  const kept = await call("GET", "/system/logs?name=fn&tail=1&follow=false");
  const followed = stream("/system/logs?name=fn&tail=1&follow=1");
  const first = await followed.next();
  await callFunction(engine, "fn", "/print?text=two");
  const second = await followed.next();
  await followed.return();

  t.is(kept.headers["content-type"], "application/x-ndjson");
  t.like(fields.parse(kept.json()), { name: "fn", namespace: "openfaas-fn", text: "one" });
  t.is(fields.parse(first.value).text, "one");
  t.is(fields.parse(second.value).text, "two");
});

test("gateways hear all endpoints first, then each change, and heartbeats between", async (t) => {
  const { call, stream, image } = await setUp(t, { heartbeatMs: 30 });
  const heard: unknown[] = [];
  const lines = stream("/endpoints");
  const reading = (async () => {
    for await (const line of lines) {
      heard.push(line);
      if (JSON.stringify(line).includes('"replicas":0')) break;
    }
  })();

  await eventually(() => heard.length > 2, true);
  await call("POST", "/system/functions?wait=true", { service: "fn", image });
  await call("DELETE", "/system/functions", { functionName: "fn" });
  await reading;

  const gone = { name: "fn", namespace: "openfaas-fn", endpoints: [], replicas: 0 };
  t.deepEqual(heard[0], { v: 1, all: [] });
  t.deepEqual(heard[1], { v: 1 });
  t.deepEqual(heard.at(-1), { v: 1, change: gone });
  t.true(heard.some((line) => /"endpoints":\["unix:/.test(JSON.stringify(line))));
});

test("a version that is kept is woken by a call, has a status and a log, and is in no list", async (t) => {
  const { call, engine, image } = await setUp(t);
  const name = "fn--1a2b3c4";
  const deployment = { service: "fn", image, envVars: { version: "old" } };
  const createdAt = "2026-11-20T12:00:00.000Z";
  await call("POST", "/system/functions?wait=true", { service: "fn", image });
  engine.keepVersions("fn", [{ name, release: "r1", fence: 1, deployment, createdAt }]);
  const asleep = (await call("GET", `/system/function/${name}`)).field("replicas");

  const { status, text } = await call("POST", `/wake/${name}`);
  const awake = (await call("GET", `/system/function/${name}`)).field("replicas");
  const listed = z.array(fields).parse((await call("GET", "/system/functions")).json());
  const readLog = async () => (await call("GET", `/system/logs?name=${name}`)).text;

  t.deepEqual([status, text], [204, ""]);
  t.deepEqual([asleep, awake], [0, 1]);
  t.deepEqual(
    listed.map((one) => one.name),
    ["fn"],
  );
  t.regex(await eventually(readLog, (log: string) => log !== ""), /started version old/);
});

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  json(): unknown;
  /** One field of a JSON object. */
  field(name: string): unknown;
};

const fields = z.record(z.string(), z.unknown());

let shared: Promise<Provider> | undefined;
/** One provider for calls that change nothing. */
function getShared(): Promise<Provider> {
  shared ??= openProvider({});
  return shared;
}
test.after.always(async () => (await shared)?.dispose());

type Provider = Awaited<ReturnType<typeof openProvider>>;

async function setUp(t: ExecutionContext, options: Partial<ProviderOptions> = {}) {
  const provider = await openProvider(options);
  t.teardown(provider.dispose);
  return provider;
}

/** The provider over a real socket in front of a real engine. */
async function openProvider(options: Partial<ProviderOptions>) {
  const under = await openUnderTest();
  const { engine, image, folder } = under;
  const version = { sha: "abc", release: "1.0" };
  const provider = createProvider({ engine, version, log: silentLog, ...options });
  const socketPath = join(folder, "provider.sock");
  const served = await serve(answerRequests(provider, silentLog), { socketPath });

  return {
    engine,
    image,
    call: (method: string, path: string, body?: unknown, authorization?: string) =>
      callSocket(socketPath, method, path, body, authorization),
    stream: (path: string) => streamSocket(socketPath, path),
    async dispose() {
      await served.close(0);
      await under.dispose();
    },
  };
}

async function callSocket(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  authorization?: string,
): Promise<Answer> {
  const data = body === undefined ? "" : JSON.stringify(body);
  const headers = {
    "content-length": Buffer.byteLength(data),
    ...(authorization === undefined ? {} : { authorization }),
  };
  const asked = httpRequest({ socketPath, method, path, headers, agent: false });
  asked.end(data);
  const answer = await receive(asked);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString("utf8");
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text,
    json: () => JSON.parse(text),
    field: (name) => fields.parse(JSON.parse(text))[name],
  };
}

/** Values of a stream of JSON lines, until the reader returns. */
async function* streamSocket(socketPath: string, path: string): AsyncGenerator<unknown, void> {
  const asked = httpRequest({ socketPath, path, agent: false });
  asked.end();
  const lines = createInterface({ input: await receive(asked) });
  try {
    for await (const line of lines) yield JSON.parse(line);
  } finally {
    // Leaving in the middle is an error to Node, not to this reader.
    lines.on("error", () => {});
    asked.destroy();
  }
}

async function receive(asked: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.on("response", resolve);
    asked.on("error", reject);
  });
}
