import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import anyTest, { type ExecutionContext, type TestFn } from "ava";
import { answerRequests } from "#sdk/answer.ts";
import { createNonceMemory, verifyCall, verifyContent } from "#sdk/internal-signature.ts";
import { createLog } from "#sdk/log.ts";
import { start, stop } from "#sdk/serve.ts";
import type { Backend } from "./backends/backend.ts";
import { openQueue, type QueueTools } from "./queue.ts";
import { type CallSettings, defaultQueueSettings, type QueueSettings } from "./settings.ts";
import type { CallStatus } from "./status.ts";

/** A store under test; `close` of the backend leaves it running, so that tests can open it again. */
export type Store = {
  open(): Promise<Backend>;
  /** kill -9 the server; it is started again by its keeper. */
  kill(): Promise<void>;
  /** Remove every job. */
  empty(): Promise<void>;
  close(): Promise<void>;
};

const payloadKey = { id: "k1", secret: "a secret that only tests know" };
const fast: Partial<CallSettings> = { firstDelayMs: 20, maxDelayMs: 200, concurrency: 8 };

type Call = {
  readonly url: string;
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly at: number;
};
type Respond = (call: Call, response: ServerResponse, nth: number) => void | Promise<void>;

/** Everything a backend promises to the rest of the room, told through `openQueue`. */
export function testQueue(startStore: () => Promise<Store>): void {
  const test = anyTest as TestFn<{ store: Store }>;
  let store: Store;
  test.before(async () => {
    store = await startStore();
  });
  test.afterEach.always(() => store.empty());
  test.after.always(() => store?.close());

  test.serial(
    "a call is answered 202 with its id and reaches the function once, whole",
    async (t) => {
      const { post, calls, until, status } = await setUp(t, { store });

      const response = await post("/async-function/alice-cart/items%2Fa/b?x=1&y=%20", {
        headers: {
          "content-type": "text/plain",
          "x-call-id": "1234",
          cookie: "a=b",
          authorization: "Bearer x",
        },
        body: "hello \u0000 ü",
      });

      t.is(response.status, 202);
      t.is(await response.text(), "");
      t.is(response.headers.get("x-call-id"), "1234");
      t.regex(response.headers.get("x-start-time") ?? "", /^\d{19}$/);
      await until(async () => (await status("1234")).state === "done");
      t.is(calls.length, 1);
      t.like(calls[0], {
        method: "POST",
        url: "/function/alice-cart.openfaas-fn/items%2Fa/b?x=1&y=%20",
        body: "hello \u0000 ü",
      });
      t.is(calls[0]?.headers["x-call-id"], "1234");
      t.is(calls[0]?.headers["content-type"], "text/plain");
      t.is(calls[0]?.headers.cookie, undefined);
      t.is(calls[0]?.headers.authorization, undefined);
      t.deepEqual(await status("1234"), {
        callId: "1234",
        state: "done",
        attempts: 1,
        lastStatus: 200,
        lastError: "",
      });
    },
  );

  test.serial(
    "a call of the platform's own function is signed anew for each attempt",
    async (t) => {
      const signatures: string[] = [];
      const nonces = createNonceMemory();
      const { post, calls, until } = await setUp(t, {
        store,
        respond(call, response, nth) {
          const headers = new Headers(Object.entries(call.headers).map(([k, v]) => [k, String(v)]));
          verifyCall({ method: call.method, path: call.url, headers }, [payloadKey], nonces);
          verifyContent(Buffer.from(call.body), headers);
          signatures.push(headers.get("x-cloud-signature") ?? "");
          response.writeHead(nth < 3 ? 500 : 200).end();
        },
      });

      await post("/async-function/git-tar.openfaas-system?build=7", {
        headers: { "x-owner-id": "github:1", "x-cloud-signature": "v1;old" },
        body: '{"v":1}',
      });

      await until(() => calls.length === 3);
      t.is(new Set(signatures).size, 3);
      t.is(calls[0]?.headers["x-owner-id"], "github:1");
    },
  );
}

async function setUp(
  t: ExecutionContext,
  {
    store,
    respond = (_call, response) => void response.writeHead(200).end("ok"),
    limits = {},
    pipeline = {},
    invocations = {},
    started = true,
    ...tools
  }: {
    store: Store;
    respond?: Respond;
    limits?: Partial<QueueSettings>;
    pipeline?: Partial<CallSettings>;
    invocations?: Partial<CallSettings>;
    started?: boolean;
  } & Partial<QueueTools>,
) {
  const folder = await mkdtemp(join(tmpdir(), "queue-"));
  const calls: Call[] = [];
  const server = createServer((request, response) => void record(request, response));
  const gatewayUrl = await start(server, { socketPath: join(folder, "gateway.sock") });
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const open = async (backend: Backend) =>
    openQueue({
      dataFolder: folder,
      runFolder: folder,
      gatewayUrl,
      payloadKey,
      settings: {
        ...defaultQueueSettings,
        ...limits,
        pipeline: { ...defaultQueueSettings.pipeline, ...fast, ...pipeline },
        invocations: { ...defaultQueueSettings.invocations, ...fast, ...invocations },
      },
      log,
      backend,
      ...tools,
    });
  const queue = await open(await store.open());
  if (started) await queue.start();
  const answer = answerRequests(queue.handler, log);

  t.teardown(async () => {
    await queue.close(0);
    await stop(server, 0);
    await rm(folder, { recursive: true, force: true });
  });
  return { queue, open, calls, lines, post, until, status, get: answer };

  async function record(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { url = "", method = "", headers } = request;
    const call = { url, method, headers, body: Buffer.concat(chunks).toString(), at: Date.now() };
    calls.push(call);
    await respond(call, response, calls.length);
  }

  async function post(path: string, init: RequestInit = {}): Promise<Response> {
    return answer(new Request(`http://queue${path}`, { method: "POST", ...init }));
  }

  async function status(callId: string): Promise<CallStatus> {
    const response = await answer(new Request(`http://queue/async-status/${callId}`));
    return (await response.json()) as CallStatus;
  }

  async function until(seen: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (!(await seen())) {
      if (Date.now() > deadline)
        throw new Error(`Not seen within ${deadlineMs} ms.\n${lines.join("")}`);
      await wait(5);
    }
  }
}
