import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { Agent, request } from "undici";
import { answerRequests } from "#sdk/answer.ts";
import { findProgram, STANDARD_PATH } from "#sdk/find-program.ts";
import { silentLog } from "#sdk/log.ts";
import { serve } from "#sdk/serve.ts";
import { startPrivateRedis } from "./backends/private-redis.ts";
import { connectRedis } from "./backends/redis.ts";
import { setUp } from "./test-queue.ts";

const program = findProgram("redis-server", STANDARD_PATH);
const onRedis = program === undefined ? test.skip : test;

/** A queue chosen by itself, behind a socket as the gateway sees it. */
async function serveQueue(t: ExecutionContext) {
  const room = await setUp(t, { invocations: { bodyLimitBytes: 100_000 } });
  const folder = await mkdtemp(join(tmpdir(), "queue-serve-"));
  const socketPath = join(folder, "queue.sock");
  const served = await serve(answerRequests(room.queue.handler, silentLog), { socketPath });
  const dispatcher = new Agent({ connect: { socketPath } });
  t.teardown(async () => {
    await dispatcher.destroy();
    await served.close(0);
    await rm(folder, { recursive: true, force: true });
  });
  const post = (path: string, body: string | Readable) =>
    request(`http://localhost${path}`, { method: "POST", dispatcher, body });
  return { ...room, post };
}

onRedis(
  "behind its socket a call is queued in a store the room chose itself (needs redis-server)",
  async (t) => {
    const { queue, post, calls, until } = await serveQueue(t);

    const { statusCode, headers, body } = await post("/async-function/alice-cart/a?b=c", "hello");

    t.is(queue.kind, "private-redis");
    t.is(statusCode, 202);
    t.is(await body.text(), "");
    t.regex(String(headers["x-call-id"]), /^[0-9a-f-]{36}$/);
    await until(() => calls.length === 1);
    t.is(calls[0]?.headers["x-call-id"], headers["x-call-id"]);
  },
);

onRedis(
  "a body that grows past the limit is refused while it comes in (needs redis-server)",
  async (t) => {
    const { post } = await serveQueue(t);

    const { statusCode, body } = await post(
      "/async-function/alice-cart",
      Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(10_000))),
    );

    t.is(statusCode, 413);
    t.like(await body.json(), { code: "body-too-large" });
  },
);

onRedis(
  "a queue whose store is away answers 503 with a reason, and goes on when it is back (needs redis-server)",
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "queue-away-"));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const options = { program: program ?? "", dataFolder: folder, runFolder: folder };
    let store = await startPrivateRedis(options, silentLog);
    t.teardown(() => store.close());
    const { post, reaches, calls } = await setUp(t, {
      openBackend: () => connectRedis({ socketPath: join(folder, "redis.sock") }, silentLog),
      limits: { publishTimeoutMs: 200 },
    });

    await store.close();
    const refused = await post("/async-function/alice-cart");
    store = await startPrivateRedis(options, silentLog);
    const init = { headers: { "x-call-id": "later" } };
    const accepted = await post("/async-function/alice-cart/later", init);

    t.is(refused.status, 503);
    t.like(await refused.json(), { code: "queue-unavailable" });
    t.is(accepted.status, 202);
    await reaches("later", "done");
    t.true(calls.some(({ url }) => url.endsWith("/later")));
  },
);
