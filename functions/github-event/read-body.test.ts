import { connect } from "node:net";
import test from "ava";
import { answerRequests } from "#sdk/answer.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { setUpIntake } from "../../test/helpers/intake.ts";
import { delivery, pushBody } from "../../test/helpers/push-delivery.ts";
import { BODY_LIMIT_BYTES, readBody } from "./read-body.ts";

/** A stream that announces no length. */
function chunks(sizes: readonly number[]): ReadableStream<Uint8Array> {
  const rest = sizes.values();
  return new ReadableStream({
    pull(controller) {
      const next = rest.next();
      if (next.done) controller.close();
      else controller.enqueue(new Uint8Array(next.value));
    },
  });
}

function post(body: ReadableStream<Uint8Array>, headers: Record<string, string> = {}): Request {
  return new Request("http://gateway/", { method: "POST", body, headers, duplex: "half" });
}

test("a push of exactly 25 MiB is taken, one byte more is answered 413", async (t) => {
  const { deliver, ledger } = setUpIntake(t);
  const json = JSON.stringify(pushBody());
  const full = json + " ".repeat(BODY_LIMIT_BYTES - json.length);

  const taken = await deliver(delivery(full, { id: "full" }));
  const refused = await deliver(delivery(`${full} `, { id: "over" }));

  t.is(taken.status, 202);
  t.is(refused.status, 413);
  t.is(ledger.findDelivery("github:over"), undefined);
});

test("a body without a length is counted while it comes", async (t) => {
  await t.throwsAsync(readBody(post(chunks([60, 60])), 1_000, 100), { message: /at most 100/ });
  t.is((await readBody(post(chunks([60, 40])), 1_000, 100)).length, 100);
});

test("an announced length over the limit is refused before a byte is read", async (t) => {
  const never = new ReadableStream<Uint8Array>();

  const reading = readBody(post(never, { "content-length": "101" }), 60_000, 100);

  await t.throwsAsync(reading, { message: /at most 100/ });
});

test("a sender that drips is answered 408 over the wire, not waited for", async (t) => {
  const answer = answerRequests(async (request) => {
    await readBody(request, 50);
    return new Response("read");
  }, silentLog);
  const served = await serve(answer, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
  t.teardown(() => socket.destroy());

  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  const head = await new Promise<string>((resolve, reject) => {
    socket.once("data", (data) => resolve(data.toString()));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed without an answer")));
  });

  t.regex(head, /^HTTP\/1\.1 408/);
});

test("a sender of too much hears 413 over the wire", async (t) => {
  const answer = answerRequests(async (request) => {
    await readBody(request, 5_000, 1_000);
    return new Response("read");
  }, silentLog);
  const served = await serve(answer, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));

  const response = await fetch(served.url, {
    method: "POST",
    body: chunks([600, 600]),
    duplex: "half",
  });

  t.is(response.status, 413);
});
