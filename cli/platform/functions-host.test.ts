import test from "ava";
import { answerRequests, type Handler } from "#sdk/answer.ts";
import { contentKeyOf } from "#sdk/internal-signature.ts";
import { createLog } from "#sdk/log.ts";
import { hostFunctions } from "./functions-host.ts";

function setUp(functions: Readonly<Record<string, Handler>>) {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)));
  return { answer: answerRequests(hostFunctions(functions), log), lines };
}

const echo: Handler = async (request, log) => {
  log.info("called");
  return new Response(`${request.method} ${request.url} ${await request.text()}`);
};

/** A call as the gateway hands it on. */
function call(path: string, body: string, contentKey = contentKeyOf(body)): Request {
  const headers = { "x-content-key": contentKey, "x-owner-id": "forge:1" };
  return new Request(`http://functions${path}`, { method: "POST", headers, body });
}

test("a call goes to the handler of its name with path, query and body, and a log that names it", async (t) => {
  const { answer, lines } = setUp({ "git-tar": echo });

  const response = await answer(call("/git-tar/run?build=7", '{"v":1}'));

  t.is(await response.text(), 'POST http://functions/git-tar/run?build=7 {"v":1}');
  t.like(lines[0], { event: "called", function: "git-tar" });
});

for (const path of ["/nonsense", "/", "/toString", "/__proto__", "/constructor", "/git-tarx"]) {
  test(`${path} is no function of the platform`, async (t) => {
    const { answer } = setUp({ "git-tar": echo });

    const response = await answer(call(path, ""));

    t.is(response.status, 404);
    t.like(await response.json(), { code: "no-such-function" });
  });
}

test("a body that is not the signed one is refused before the handler sees it", async (t) => {
  const { answer, lines } = setUp({ "git-tar": echo });

  const response = await answer(call("/git-tar", '{"v":2}', contentKeyOf('{"v":1}')));

  t.is(response.status, 401);
  t.like(await response.json(), { code: "bad-signature" });
  t.false(lines.some(({ event }) => event === "called"));
});

test("a body that was signed by its build key streams through unread", async (t) => {
  const { answer } = setUp({ buildshiprun: echo });

  const response = await answer(call("/buildshiprun", "a tar", "v1:abc"));

  t.is(await response.text(), "POST http://functions/buildshiprun a tar");
});

test("a message of more than four megabytes is refused while it still comes in", async (t) => {
  const { answer } = setUp({ "git-tar": echo });
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
  });
  const request = new Request("http://functions/git-tar", {
    method: "POST",
    headers: { "x-content-key": contentKeyOf("") },
    body: endless,
    duplex: "half",
  });

  const response = await answer(request);

  t.is(response.status, 413);
  t.like(await response.json(), { code: "body-too-large" });
  t.true(pulled < 8);
});

test("the webhook's own body is neither checked nor held back: it comes from outside, as it comes", async (t) => {
  let received = "";
  const { answer } = setUp({
    "github-event": async (request) => {
      const chunk = await request.body?.getReader().read();
      received = new TextDecoder().decode(chunk?.value);
      return new Response(null, { status: 202 });
    },
  });
  const unfinished = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("first chunk")),
  });
  const request = new Request("http://functions/github-event", {
    method: "POST",
    body: unfinished,
    duplex: "half",
  });

  const response = await answer(request);

  t.is(response.status, 202);
  t.is(received, "first chunk");
});
