import test from "ava";
import { answerRequests, type Handler } from "./answer.ts";
import { HttpError } from "./errors.ts";
import { createLog } from "./log.ts";

function setUp(handle: Handler) {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line)));
  return { answer: answerRequests(handle, log), lines };
}

test("an answer is passed on as it is, and nothing is logged about it", async (t) => {
  const { answer, lines } = setUp(async () => new Response("hello", { status: 201 }));

  const response = await answer(new Request("http://room/"));

  t.is(response.status, 201);
  t.is(await response.text(), "hello");
  t.deepEqual(lines, []);
});

test("a refusal reaches the caller with its code and message, and the log with its causes", async (t) => {
  const { answer, lines } = setUp(async () => {
    throw new HttpError(409, "stale-fence", "Fence 7 is in force.", { cause: new Error("row 12") });
  });

  const response = await answer(new Request("http://room/deploy?token=hidden"));

  t.is(response.status, 409);
  t.deepEqual(await response.json(), { code: "stale-fence", message: "Fence 7 is in force." });
  t.like(lines[0], {
    level: "info",
    event: "request-refused",
    status: 409,
    path: "/deploy",
    error: "Fence 7 is in force.: row 12",
  });
  t.false(JSON.stringify(lines).includes("hidden"));
});

for (const [what, thrown] of [
  ["an unknown error", new Error("password=hunter2 at /srv/secrets")],
  ["a thrown text", "hunter2"],
  ["an error that looks like a refusal", Object.assign(new Error("hunter2"), { status: 200 })],
] as const) {
  test(`${what} is a 500 that tells the caller nothing and the log everything`, async (t) => {
    const { answer, lines } = setUp(() => Promise.reject(thrown));

    const response = await answer(new Request("http://room/x"));

    t.is(response.status, 500);
    t.deepEqual(await response.json(), {
      code: "internal",
      message: "Unexpected failure; see the platform's log.",
    });
    t.like(lines[0], { level: "error", event: "request-failed", status: 500, path: "/x" });
    t.regex(String(lines[0]?.error), /hunter2/);
  });
}

test("each request has a log of its own that carries its delivery and call ids", async (t) => {
  const { answer, lines } = setUp(async (_, log) => {
    log.info("seen");
    return new Response();
  });

  await answer(new Request("http://room/", { headers: { "x-github-delivery": "d-1" } }));
  await answer(new Request("http://room/", { headers: { "x-call-id": "c-2" } }));

  t.like(lines[0], { event: "seen", delivery: "d-1" });
  t.false("call_id" in (lines[0] ?? {}));
  t.like(lines[1], { event: "seen", call_id: "c-2" });
  t.false("delivery" in (lines[1] ?? {}));
});
