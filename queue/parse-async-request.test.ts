import test from "ava";
import { keepHeaders, parseTarget, readBody } from "./parse-async-request.ts";

const target = (path: string) => parseTarget(new URL(`http://queue${path}`));

test("name, namespace, path and query are told apart, and the path stays as it is written", (t) => {
  t.deepEqual(target("/async-function/alice-cart"), {
    name: "alice-cart",
    namespace: "openfaas-fn",
    path: "",
    query: "",
  });
  t.deepEqual(target("/async-function/git-tar.openfaas-system/a%2Fb//c/?x=%3F&y"), {
    name: "git-tar",
    namespace: "openfaas-system",
    path: "/a%2Fb//c/",
    query: "?x=%3F&y",
  });
});

for (const path of [
  "/async-function/",
  "/async-function/..%2fsystem",
  "/async-function/Alice",
  "/async-function/a.b.c",
  "/async-function/a.openfaas-fn.kube-system",
  "/async-function/-a",
  `/async-function/${"a".repeat(64)}`,
  "/async-function/a@b",
  "/async-function/x/../../system/functions",
  "/async-function/x/%2e%2e/%2e%2e/system/functions",
])
  test(`${path} names no function`, (t) => {
    t.throws(() => target(path), { name: "HttpError" });
  });

test("only end-to-end headers without credentials are kept", (t) => {
  const kept = keepHeaders(
    new Headers({
      accept: "text/html",
      "x-custom": "1",
      connection: "close, X-Hop",
      "x-hop": "1",
      "keep-alive": "5",
      te: "trailers",
      "transfer-encoding": "chunked",
      authorization: "Basic c2VjcmV0",
      cookie: "session=1",
      "proxy-authorization": "Basic c2VjcmV0",
      "x-cloud-signature": "v1;…".slice(0, 3),
      "x-callback-url": "https://example.com",
      "x-owner-id": "github:1",
      "content-length": "3",
      host: "alice.localhost",
    }),
  );

  t.deepEqual(kept, { accept: "text/html", "x-custom": "1" });
});

test("a body without a length is cut off at the limit", async (t) => {
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled++;
      controller.enqueue(new Uint8Array(1_000));
    },
  });
  const request = new Request("http://queue/", { method: "POST", body: endless, duplex: "half" });

  await t.throwsAsync(() => readBody(request, 10_000), { code: "body-too-large" });
  t.true(pulled < 20);
});

test("a body that breaks off is the caller's fault", async (t) => {
  const broken = new ReadableStream({
    pull: (controller) => controller.error(new Error("gone")),
  });
  const request = new Request("http://queue/", { method: "POST", body: broken, duplex: "half" });

  await t.throwsAsync(() => readBody(request, 10), { code: "body-unreadable" });
});
