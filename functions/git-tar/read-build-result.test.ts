import test from "ava";
import { HttpError } from "#sdk/errors.ts";
import { readBuildResult } from "./read-build-result.ts";

/** The answer in chunks of one byte, unless it is one text. */
async function read(text: string, init: ResponseInit = {}) {
  const log: string[] = [];
  const bytes = Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte));
  const response = new Response(ReadableStream.from(bytes), init);
  const reason = await readBuildResult(response, (line) => log.push(line));
  return { reason, log };
}

test("success is no reason, and every log line is told", async (t) => {
  const text =
    '{"log":["npm ci","✓"],"status":"in_progress"}\n\n{"log":["done"],"status":"success"}\n';

  t.deepEqual(await read(text), { reason: undefined, log: ["npm ci", "✓", "done"] });
});

test("a failed build has the builder's reason, and one where it gave none", async (t) => {
  const given = await read('{"status":"failed","error":"npm ci ended with 1"}');
  const none = await read('{"status":"failed"}\n');

  t.is(given.reason, "npm ci ended with 1");
  t.is(none.reason, "the build failed without a reason");
});

for (const [what, text, status, message] of [
  ["without a result", '{"log":["npm ci"],"status":"in_progress"}\n', 200, /without a result/],
  ["that is empty", "", 200, /without a result/],
  ["that is 502", "the builder is gone", 502, /^buildshiprun answered 502: the builder is gone$/],
  ["that is 400", "not planned", 400, /answered 400: not planned/],
] as const)
  test(`an answer ${what} is tried again later`, async (t) => {
    const error = await t.throwsAsync(read(text, { status }), { instanceOf: HttpError, message });

    t.is(error.status, 503);
  });

test("an answer that is no line is an error", async (t) => {
  await t.throwsAsync(read("<html>\n"));
});
