import test, { type ExecutionContext } from "ava";
import { HttpError } from "./errors.ts";
import { createGatewayClient } from "./gateway-client.ts";
import { createNonceMemory, verifyCall, verifyContent } from "./internal-signature.ts";
import { serve } from "./serve.ts";

const key = { id: "k1", secret: "payload secret" };

/** What a gateway got, in the order it came. */
type Seen = {
  readonly call: string;
  readonly headers: Headers;
  readonly body: string;
};

/** A client of a server on a port of its own that answers what `answers` says, else 200. */
async function setUp(t: ExecutionContext, answers: Readonly<Record<string, () => Response>> = {}) {
  const seen: Seen[] = [];
  const served = await serve(
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const call = `${request.method} ${pathname}${search}`;
      seen.push({ call, headers: request.headers, body: await request.text() });
      return answers[call]?.() ?? new Response("ok");
    },
    { port: 0, hostname: "127.0.0.1" },
  );
  t.teardown(() => served.close(0));
  const gateway = createGatewayClient(`${served.url}/`, { user: "admin", password: "pa:ss", key });
  return { gateway, seen, calls: () => seen.map(({ call }) => call) };
}

function verify({ call, headers }: Seen): void {
  const [method = "", path = ""] = call.split(" ");
  verifyCall({ method, path, headers }, [key], createNonceMemory());
}

const deployment = { service: "alice-cart", image: "cart@sha256:1" };
const json = (status: number, body: unknown) => () => Response.json(body, { status });

test("a call arrives at the system function, signed over path, query, owner and body", async (t) => {
  const { gateway, seen } = await setUp(t);

  const response = await gateway.call("git-tar", '{"v":1}', {
    query: "?build=7",
    headers: { "x-owner-id": "forge:1" },
  });

  t.is(await response.text(), "ok");
  const [got] = seen;
  if (got === undefined) return t.fail("nothing arrived");
  t.is(got.call, "POST /function/git-tar.openfaas-system?build=7");
  t.is(got.body, '{"v":1}');
  t.is(got.headers.get("x-owner-id"), "forge:1");
  t.is(got.headers.get("authorization"), null);
  t.notThrows(() => verify(got));
  t.notThrows(() => verifyContent(Buffer.from(got.body), got.headers));
});

test("a GET carries no body and is signed over an empty one", async (t) => {
  const { gateway, seen } = await setUp(t);

  await gateway.call("pipeline-log", "ignored", { method: "GET", query: "?build=7" });

  const [got] = seen;
  if (got === undefined) return t.fail("nothing arrived");
  t.is(got.body, "");
  t.notThrows(() => verify(got));
  t.notThrows(() => verifyContent(new Uint8Array(), got.headers));
});

test("a streamed body is signed by its content key", async (t) => {
  const { gateway, seen } = await setUp(t);
  const body = ReadableStream.from([Buffer.from("a tar "), Buffer.from("in chunks")]);

  await gateway.call("buildshiprun", body, { contentKey: "v1:abc" });

  const [got] = seen;
  if (got === undefined) return t.fail("nothing arrived");
  t.is(got.body, "a tar in chunks");
  t.is(got.headers.get("x-content-key"), "v1:abc");
  t.notThrows(() => verify(got));
});

test("a call's refusal is handed to the caller, whatever its status", async (t) => {
  const answer = json(409, { code: "stale", message: "no" });
  const { gateway } = await setUp(t, {
    "POST /function/buildshiprun.openfaas-system": answer,
  });

  t.is((await gateway.call("buildshiprun", "")).status, 409);
});

test("a job that the queue does not take throws, with what to look at", async (t) => {
  const { gateway, calls } = await setUp(t, {
    "POST /async-function/git-tar.openfaas-system": () => new Response(null, { status: 202 }),
    "POST /async-function/audit-event.openfaas-system": json(503, { code: "x", message: "y" }),
  });

  await gateway.queue("git-tar", "{}");
  const error = await t.throwsAsync(gateway.queue("audit-event", "{}"), { instanceOf: HttpError });

  t.like(error, { status: 502, code: "queue-refused" });
  t.is(error?.message, "The gateway answered 503 to a job for audit-event; is the queue up?");
  t.is(calls().length, 2);
});

test("an answer of 200 is not the queue's either", async (t) => {
  const { gateway } = await setUp(t);

  await t.throwsAsync(gateway.queue("git-tar", "{}"), { message: /answered 200 to a job/ });
});

test("a deploy is an update with basic auth, and creates where there is nothing to update", async (t) => {
  const update = "PUT /system/functions?wait=true";
  const create = "POST /system/functions?wait=true";
  const known = await setUp(t);
  const unknown = await setUp(t, { [update]: () => new Response("not found", { status: 404 }) });

  await known.gateway.deploy(deployment);
  await unknown.gateway.deploy(deployment);

  t.deepEqual(known.calls(), [update]);
  t.deepEqual(unknown.calls(), [update, create]);
  for (const { headers, body } of [...known.seen, ...unknown.seen]) {
    t.is(headers.get("authorization"), `Basic ${btoa("admin:pa:ss")}`);
    t.deepEqual(JSON.parse(body), deployment);
  }
});

for (const [what, status, answer, code, message] of [
  [
    "a JSON refusal keeps its code and message",
    424,
    () => Response.json({ code: "never-healthy", message: "exit 1" }, { status: 424 }),
    "never-healthy",
    "exit 1",
  ],
  [
    "a text refusal is the message",
    400,
    () => new Response(" image is missing\n", { status: 400 }),
    "gateway-refused",
    "image is missing",
  ],
  [
    "JSON of another shape is the message as it is",
    500,
    () => new Response('{"error":"oops"}', { status: 500 }),
    "gateway-refused",
    '{"error":"oops"}',
  ],
  [
    "text that only begins like JSON is the message as it is",
    502,
    () => new Response("{proxy} is down", { status: 502 }),
    "gateway-refused",
    "{proxy} is down",
  ],
  [
    "an empty refusal names the call",
    503,
    () => new Response(null, { status: 503 }),
    "gateway-refused",
    "The gateway answered 503 to PUT /system/functions?wait=true.",
  ],
] as const) {
  test(`${what}, with its status`, async (t) => {
    const { gateway } = await setUp(t, { "PUT /system/functions?wait=true": answer });

    const error = await t.throwsAsync(gateway.deploy(deployment), { instanceOf: HttpError });

    t.like(error, { status, code, message });
  });
}

test("what is not there has no status and nothing to remove", async (t) => {
  const missing = () => new Response("not found", { status: 404 });
  const { gateway, calls, seen } = await setUp(t, {
    "GET /system/function/alice-gone": missing,
    "DELETE /system/functions": missing,
  });

  t.is(await gateway.status("alice-gone"), undefined);
  t.false(await gateway.remove("alice-gone"));
  t.deepEqual(calls(), ["GET /system/function/alice-gone", "DELETE /system/functions"]);
  t.deepEqual(JSON.parse(seen[1]?.body ?? ""), { functionName: "alice-gone" });
});

test("a status, a list, a removal and a scale call the API of OpenFaaS", async (t) => {
  const { gateway, seen, calls } = await setUp(t, {
    "GET /system/functions": json(200, [{ name: "alice-cart" }]),
    "GET /system/function/a%2Fb": json(200, { name: "a/b" }),
  });

  t.deepEqual(await gateway.list(), [{ name: "alice-cart" }]);
  t.like(await gateway.status("a/b"), { name: "a/b" });
  t.true(await gateway.remove("alice-cart"));
  await gateway.scale("alice-cart", 3);

  t.deepEqual(calls().slice(2), [
    "DELETE /system/functions",
    "POST /system/scale-function/alice-cart",
  ]);
  t.deepEqual(JSON.parse(seen.at(-1)?.body ?? ""), { serviceName: "alice-cart", replicas: 3 });
});

test("secrets are listed by name, and one that is not there is not removed", async (t) => {
  const { gateway, seen } = await setUp(t, {
    "GET /system/secrets": json(200, [{ name: "alice-db", namespace: "openfaas-fn" }]),
    "DELETE /system/secrets": () => new Response("not found", { status: 404 }),
  });

  t.deepEqual(await gateway.listSecrets(), ["alice-db"]);
  t.false(await gateway.removeSecret("alice-gone"));
  t.deepEqual(JSON.parse(seen[1]?.body ?? ""), { name: "alice-gone" });
});

test("an aborted deploy stops waiting", async (t) => {
  const { url, close } = await serve(() => new Promise<Response>(() => {}), {
    port: 0,
    hostname: "127.0.0.1",
  });
  t.teardown(() => close(0));
  const gateway = createGatewayClient(`${url}/`, { user: "admin", password: "p", key });

  await t.throwsAsync(gateway.deploy(deployment, AbortSignal.timeout(50)), {
    name: "TimeoutError",
  });
});
