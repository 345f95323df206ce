import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import test, { type ExecutionContext } from "ava";
import { serve } from "#sdk/serve.ts";
import { until } from "../test/helpers/until.ts";
import type { BuilderSettings } from "./settings.ts";
import {
  faasCliRequest,
  HANDLER,
  packHandler,
  parseLines,
  signedRequest,
  startBuilder,
} from "./test-builder.ts";

/** A builder behind a socket, and a way to send it half a build and hold the rest back. */
async function setUp(t: ExecutionContext, settings: Partial<BuilderSettings> = {}) {
  const builder = await startBuilder(t, settings);
  const socketPath = join(builder.dataFolder, "b.sock");
  const served = await serve(builder.answer, { socketPath });
  t.teardown(() => served.close(0));
  const body = Buffer.from(
    await packHandler({ "handler.js": HANDLER, "big.bin": "x".repeat(99_000) }),
  );

  return {
    ...builder,
    sendHalf(signed: (body: Uint8Array<ArrayBuffer>) => Request) {
      const headers = Object.fromEntries(signed(new Uint8Array(body)).headers);
      const sending = request({
        socketPath,
        method: "POST",
        path: "/build",
        headers: { ...headers, "content-length": body.length },
      });
      const answer = answerOf(sending);
      // One that breaks off has none.
      answer.catch(() => {});
      sending.write(body.subarray(0, 50_000));
      return {
        answer,
        breakOff: () => sending.destroy(),
        sendRest: () => sending.end(body.subarray(50_000)),
      };
    },
  };
}

async function answerOf(sending: ClientRequest) {
  const [response]: IncomingMessage[] = await once(sending, "response");
  if (response === undefined) throw new Error("There is no answer.");
  return { status: response.statusCode, body: await text(response) };
}

const SIGNATURES = { "faas-cli": faasCliRequest, "the platform": signedRequest };

for (const [whose, signed] of Object.entries(SIGNATURES)) {
  test(`an upload of ${whose} that stops half-way leaves nothing, and the next is built`, async (t) => {
    const { sendHalf, left } = await setUp(t, { concurrency: 1 });
    const first = sendHalf(signed);
    await until(async () => (await left()).work.length === 1);

    first.breakOff();

    await until(async () => (await left()).work.length === 0);
    const second = sendHalf(signed);
    second.sendRest();
    const { status, body } = await second.answer;
    t.is(status, 200);
    t.is(parseLines(body).at(-1)?.status, "success");
    t.is((await left()).artifacts.length, 1);
  });
}

test("an upload that does not go on is over at the time limit, whoever sent it", async (t) => {
  const { sendHalf, left } = await setUp(t, { buildTimeoutMs: 500 });

  const operators = await sendHalf(faasCliRequest).answer;
  const platforms = await sendHalf(signedRequest).answer;

  t.is(operators.status, 408);
  t.like(JSON.parse(operators.body), {
    code: "slow-upload",
    message: "The build did not come within 0.5 s.",
  });
  t.like(parseLines(platforms.body).at(-1), {
    status: "failed",
    error: "The build took longer than 0.5 s and was stopped.",
  });
  await until(async () => (await left()).work.length === 0);
});

test("who may be nobody does not fill the disk: only so many bodies are taken at once", async (t) => {
  const { sendHalf, left } = await setUp(t, { maxSpools: 2 });
  const held = [sendHalf(faasCliRequest), sendHalf(faasCliRequest)];
  await until(async () => (await left()).work.length === 2);

  const refused = await sendHalf(faasCliRequest).answer;

  t.is(refused.status, 429);
  t.like(JSON.parse(refused.body), { code: "builder-busy" });
  for (const { sendRest } of held) sendRest();
  for (const { answer } of held) t.is(parseLines((await answer).body).at(-1)?.status, "success");
  const next = sendHalf(faasCliRequest);
  next.sendRest();
  t.is((await next.answer).status, 200);
});
