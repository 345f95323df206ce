import { createNonceMemory, verifyCall, verifyContent } from "#sdk/internal-signature.ts";
import { defaultQueueSettings } from "../settings.ts";
import { jobIdOf } from "../stored-call.ts";
import { payloadKey } from "../test-queue.ts";
import { CART, type Contract } from "./contract.ts";

/** Each accepted call reaches its function once, whole, and is tried again as far as that helps. */
export function testCalls({ test, setUp, openJobs }: Contract): void {
  test.serial(
    "a call is answered 202 with its id and reaches the function once, whole",
    async (t) => {
      const { post, calls, reaches, status } = await setUp(t);

      const response = await post(`${CART}/items%2Fa/b?x=1&y=%20`, {
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
      await reaches("1234", "done");
      t.is(calls.length, 1);
      t.like(calls[0], {
        method: "POST",
        url: "/function/alice-cart.openfaas-fn/items%2Fa/b?x=1&y=%20",
        body: "hello \u0000 ü",
      });
      t.like(calls[0]?.headers, { "x-call-id": "1234", "content-type": "text/plain" });
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
      const signatures = new Set<string>();
      const nonces = createNonceMemory();
      const { post, calls, until } = await setUp(t, {
        respond(call, response, nth) {
          const headers = new Headers(Object.entries(call.headers).map(([k, v]) => [k, String(v)]));
          verifyCall({ method: call.method, path: call.url, headers }, [payloadKey], nonces);
          verifyContent(Buffer.from(call.body), headers);
          signatures.add(headers.get("x-cloud-signature") ?? "");
          response.writeHead(nth < 3 ? 500 : 200).end();
        },
      });

      await post("/async-function/git-tar.openfaas-system?build=7", {
        headers: { "x-owner-id": "github:1", "x-cloud-signature": "v1;old" },
        body: '{"v":1}',
      });

      await until(() => calls.length === 3);
      t.is(signatures.size, 3);
      t.is(calls[0]?.headers["x-owner-id"], "github:1");
    },
  );

  test.serial(
    "a megabyte of any bytes arrives unchanged and is forgotten once the call is done",
    async (t) => {
      const bytes = Buffer.alloc(1024 * 1024, 0).map((_, index) => (index * 31) % 256);
      const { post, calls, reaches } = await setUp(t);

      await post(CART, { headers: { "x-call-id": "large" }, body: bytes });

      await reaches("large", "done");
      t.true(calls[0]?.bytes.equals(bytes));
      const job = await (await openJobs(t)).getJob(jobIdOf("large"));
      t.like(job?.data, { body: "", settled: { status: 200 } });
    },
  );

  test.serial(
    "two calls under one id both run, and the second gets an id of its own",
    async (t) => {
      const { post, calls, until } = await setUp(t);
      const init = { headers: { "x-call-id": "twice" } };

      const responses = await Promise.all([post(`${CART}/a`, init), post(`${CART}/b`, init)]);

      await until(() => calls.length === 2);
      const ids = responses.map(({ headers }) => headers.get("x-call-id"));
      t.true(ids.includes("twice"));
      t.is(new Set(ids).size, 2);
      t.is(new Set(calls.map(({ url }) => url)).size, 2);
    },
  );

  for (const status of [408, 429, 500, 503])
    test.serial(`an answer ${status} is tried again until it is 200`, async (t) => {
      const {
        post,
        calls,
        reaches,
        status: read,
      } = await setUp(t, {
        respond: (_call, response, nth) => void response.writeHead(nth < 3 ? status : 200).end(),
      });

      await post(CART, { headers: { "x-call-id": "flaky" } });

      await reaches("flaky", "done");
      t.is(calls.length, 3);
      t.like(await read("flaky"), { attempts: 3, lastStatus: 200 });
    });

  test.serial("a function that breaks the connection is tried again", async (t) => {
    const { post, calls, reaches } = await setUp(t, {
      respond: (_call, response, nth) => void (nth < 2 ? response.destroy() : response.end()),
    });

    await post(CART, { headers: { "x-call-id": "broken" } });

    await reaches("broken", "done");
    t.is(calls.length, 2);
  });

  test.serial("a function that does not answer in its time is tried again", async (t) => {
    const { post, calls, reaches } = await setUp(t, {
      invocations: { timeoutMs: 1_000 },
      respond: (_call, response, nth) => void (nth < 2 || response.end()),
    });

    await post(CART, { headers: { "x-call-id": "slow" } });

    await reaches("slow", "done");
    t.is(calls.length, 2);
  });

  test.serial(
    "attempts wait longer and longer, and as long as Retry-After asks within bounds",
    async (t) => {
      const { post, calls, reaches, status, until } = await setUp(t, {
        invocations: { firstDelayMs: 50, maxDelayMs: 300 },
        respond(_call, response, nth) {
          if (nth === 3) response.setHeader("retry-after", "3600");
          response.writeHead(nth < 4 ? 503 : 200).end();
        },
      });

      await post(CART, { headers: { "x-call-id": "patient" } });

      await until(() => calls.length === 3);
      await until(async () => (await status("patient")).state === "failed");
      t.like(await status("patient"), { attempts: 3, lastStatus: 503 });
      await reaches("patient", "done");
      const gaps = calls.slice(1).map((call, index) => call.at - (calls[index]?.at ?? 0));
      t.true((gaps[0] ?? 0) >= 49 && (gaps[1] ?? 0) >= 99, `waited ${gaps}`);
      t.true((gaps[2] ?? 0) >= 299 && (gaps[2] ?? 0) < 2_000, `waited ${gaps}`);
    },
  );

  test.serial("a users' function's own 404 is its answer", async (t) => {
    const { post, calls, reaches, status } = await setUp(t, {
      respond: (_call, response) => void response.writeHead(404).end(),
    });

    await post(CART, { headers: { "x-call-id": "own" } });

    await reaches("own", "done");
    t.is(calls.length, 1);
    t.like(await status("own"), { lastStatus: 404 });
  });

  test.serial("a function's annotations decide what is tried again, and how often", async (t) => {
    const annotations = {
      "com.openfaas.retry.attempts": "2",
      "com.openfaas.retry.codes": "404",
      "com.openfaas.retry.min_wait": "10ms",
      "com.openfaas.retry.max_wait": "soon",
    };
    const { post, reaches, calls, status, lines } = await setUp(t, {
      find: async () => ({ annotations }),
      respond: ({ url }, response) =>
        void response.writeHead(url.endsWith("/missing") ? 404 : 500).end(),
    });

    await post(`${CART}/missing`, { headers: { "x-call-id": "missing" } });
    await reaches("missing", "dead");
    await post(CART, { headers: { "x-call-id": "broken" } });
    await reaches("broken", "done");

    t.is(calls.length, 3);
    t.like(await status("missing"), { attempts: 2, lastStatus: 404 });
    t.like(await status("broken"), { attempts: 1, lastStatus: 500 });
    t.true(lines.some((line) => line.includes("retry-annotation-ignored")));
  });

  test.serial("a call does not wait until its queue is looked at again", async (t) => {
    const { post, calls, until } = await setUp(t);
    const latencies: number[] = [];
    for (let nth = 0; nth < 55; nth++) {
      const startedAt = performance.now();
      await post(CART, { body: "x".repeat(200) });
      await until(() => calls.length > nth);
      latencies.push((calls[nth]?.at ?? 0) - startedAt);
    }

    // The first calls warm the caches.
    const sorted = latencies.slice(5).sort((a, b) => a - b);

    const [median = 0, worst = 0] = [sorted[25], sorted.at(-1)];
    t.log(`median ${median.toFixed(2)} ms, worst ${worst.toFixed(2)} ms of ${sorted.length}`);
    // An idle worker asks again after seconds; a busy machine is slow, too, but not that slow.
    t.true(median < 2_000);
  });

  test.serial("what cannot be queued is refused with a reason", async (t) => {
    const { post, get, calls } = await setUp(t, {
      invocations: { bodyLimitBytes: 10 },
      find: async (name) => (name === "alice-cart" ? { annotations: {} } : undefined),
    });
    const refused = async (answer: Promise<Response>) => {
      const { status } = await answer;
      const { code } = (await (await answer).json()) as { code: string };
      return [status, code];
    };

    t.deepEqual(await refused(post(CART, { body: "x".repeat(11) })), [413, "body-too-large"]);
    t.deepEqual(await refused(post("/async-function/bob-cart")), [404, "no-such-function"]);
    t.deepEqual(await refused(post("/async-function/Bob_Cart")), [404, "no-such-function"]);
    t.deepEqual(await refused(post("/async-function/cart.kube-system")), [404, "no-such-function"]);
    for (const url of ["ftp://example.com", "nonsense", "http://127.1/", "http://a:b@example.com"])
      t.deepEqual(await refused(post(CART, { headers: { "x-callback-url": url } })), [
        400,
        "bad-callback-url",
      ]);
    t.deepEqual(await refused(post(CART, { headers: { "x-call-id": "a:b" } })), [
      400,
      "bad-call-id",
    ]);
    t.deepEqual(await refused(get("/async-function/alice-cart")), [405, "bad-method"]);
    t.deepEqual(await refused(get("/async-status/none")), [404, "no-such-call"]);
    t.is(calls.length, 0);
    t.is(defaultQueueSettings.invocations.bodyLimitBytes, 1_048_576);
  });
}
