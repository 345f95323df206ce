import test from "ava";
import { answerRequests } from "#sdk/answer.ts";
import { silentLog } from "#sdk/log.ts";
import { readBounded } from "#sdk/read-bounded.ts";
import { serve } from "#sdk/serve.ts";

const LIMIT = { limitBytes: 10 };

function post(
  body: string | ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Request {
  return new Request("http://room/", { method: "POST", body, headers, duplex: "half" });
}

test("a body is read whole, with a length and without one", async (t) => {
  const stream = new Blob(["1234", "567890"]).stream();

  t.is(String(await readBounded(post(stream), LIMIT)), "1234567890");
  t.is(String(await readBounded(post("12345", { "content-length": "5" }), LIMIT)), "12345");
  t.is(String(await readBounded(new Request("http://room/"), LIMIT)), "");
});

test("a longer body is refused, whatever was announced", async (t) => {
  const tooLarge = (limit: number) => new RangeError(`more than ${limit}`);
  const long = "x".repeat(11);

  await t.throwsAsync(readBounded(post(new Blob([long]).stream()), LIMIT), {
    message: /at most 10 bytes/,
  });
  for (const announced of ["11", "5", "-1", "none"])
    await t.throwsAsync(
      readBounded(post(long, { "content-length": announced }), { ...LIMIT, tooLarge }),
      { message: "more than 10" },
    );
});

test("an abort ends the wait for a sender that says no more", async (t) => {
  for (const headers of [{}, { "content-length": "5" }]) {
    const silent = new ReadableStream<Uint8Array>();
    const over = new AbortController();

    const reading = readBounded(post(silent, headers), { ...LIMIT, signal: over.signal });
    over.abort(new Error("too slow"));

    await t.throwsAsync(reading, { message: "too slow" });
  }
});

test("over the wire a body with a length arrives as it was sent", async (t) => {
  const answer = answerRequests(
    async (request) =>
      new Response(new Uint8Array(await readBounded(request, { limitBytes: 1e6 }))),
    silentLog,
  );
  const served = await serve(answer, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 256));

  const response = await fetch(served.url, { method: "POST", body: sent });

  t.true(sent.equals(Buffer.from(await response.arrayBuffer())));
});
