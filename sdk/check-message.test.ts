import { EventEmitter, once } from "node:events";
import test from "ava";
import { answerRequests } from "#sdk/answer.ts";
import { checkMessage } from "#sdk/check-message.ts";
import { contentKeyOf } from "#sdk/internal-signature.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";

const TEXT = '{"v":1,"name":"Ä"}';

function message(body: string, contentKey: string): Request {
  return new Request("http://functions/git-tar", {
    method: "POST",
    headers: { "x-content-key": contentKey },
    body,
  });
}

test("a message that is the signed one can be read in every way", async (t) => {
  const request = message(TEXT, contentKeyOf(TEXT));

  await checkMessage(request);

  t.is(await request.text(), TEXT);
  t.deepEqual(await request.json(), { v: 1, name: "Ä" });
  t.is(new TextDecoder().decode(await request.arrayBuffer()), TEXT);
  t.is(new TextDecoder().decode(await request.bytes()), TEXT);
});

test("another body than the signed one is refused with 401", async (t) => {
  await t.throwsAsync(checkMessage(message("{}", contentKeyOf(TEXT))), {
    message: /not the digest of the body/,
  });
});

test("a message whose caller is gone tells its reader, however long that takes", async (t) => {
  const seen = new EventEmitter();
  const answer = answerRequests(async (request) => {
    await checkMessage(request);
    const { signal } = request;
    seen.emit("read");
    await once(signal, "abort");
    seen.emit("gone");
    return new Response();
  }, silentLog);
  const served = await serve(answer, { port: 0, hostname: "127.0.0.1" });
  t.teardown(() => served.close(0));
  const caller = new AbortController();
  const [read, gone] = [once(seen, "read"), once(seen, "gone")];

  const calling = fetch(served.url, {
    method: "POST",
    headers: { "x-content-key": contentKeyOf(TEXT) },
    body: TEXT,
    signal: caller.signal,
  });
  await read;
  caller.abort();

  await t.throwsAsync(calling, { name: "AbortError" });
  await gone;
  t.pass();
});
