import { listen } from "../test-queue.ts";
import { CART, type Contract } from "./contract.ts";

/** Who asked to hear the end of a call does, and nobody else is called. */
export function testCallbacks({ test, setUp }: Contract): void {
  test.serial("a callback gets the answer and what it took", async (t) => {
    const receiver = await listen(t);
    const { post, until } = await setUp(t, {
      limits: { callbackPrivate: true },
      respond: (_call, response) =>
        void response.writeHead(201, { "content-type": "text/x-test" }).end("the answer"),
    });

    await post(CART, {
      headers: { "x-call-id": "told", "x-callback-url": `${receiver.url}/done?a=1` },
    });

    await until(() => receiver.calls.length === 1);
    const [told] = receiver.calls;
    t.like(told, { method: "POST", url: "/done?a=1", body: "the answer" });
    t.like(told?.headers, {
      "content-type": "text/x-test",
      "x-call-id": "told",
      "x-function-status": "201",
      "x-function-name": "alice-cart",
    });
    t.regex(String(told?.headers["x-duration-seconds"]), /^\d+\.\d{6}$/);
  });

  test.serial(
    "a callback is told of the last failure, tried again, and never redirected",
    async (t) => {
      const receiver = await listen(t, (_call, response, nth) => {
        if (nth === 1) response.writeHead(500).end();
        else response.writeHead(302, { location: "/elsewhere" }).end();
      });
      const { post, reaches, until } = await setUp(t, {
        limits: { callbackPrivate: true },
        invocations: { attempts: 2 },
        respond: (_call, response) => void response.destroy(),
      });

      await post(CART, { headers: { "x-call-id": "sad", "x-callback-url": receiver.url } });

      await reaches("sad", "dead");
      await until(() => receiver.calls.length === 2);
      t.deepEqual(
        receiver.calls.map(({ url, headers }) => [
          url,
          headers["x-function-status"],
          headers["x-retry"],
          headers["x-retry-max"],
        ]),
        [
          ["/", "503", "1", "1"],
          ["/", "503", "1", "1"],
        ],
      );
    },
  );

  test.serial("a callback that nobody took is told by the next platform", async (t) => {
    const receiver = await listen(t, (_call, response, nth) => {
      response.writeHead(nth === 1 ? 503 : 200).end();
    });
    const limits = { callbackPrivate: true };
    const first = await setUp(t, { limits, callbacks: { firstDelayMs: 1_000 } });
    await first.post(CART, { headers: { "x-call-id": "news", "x-callback-url": receiver.url } });
    await first.reaches("news", "done");
    await first.until(() => receiver.calls.length === 1);
    await first.queue.close(0);

    const second = await setUp(t, { limits });

    await second.until(() => receiver.calls.length === 2);
    t.deepEqual(
      receiver.calls.map(({ body }) => body),
      ["ok", "ok"],
    );
    t.is(first.calls.length + second.calls.length, 1, "the function is not called again");
  });

  test.serial(
    "a callback that was given up is listed, and told when it is tried again",
    async (t) => {
      const receiver = await listen(t, (_call, response, nth) => {
        response.writeHead(nth <= 2 ? 500 : 200).end();
      });
      const { post, queue, until } = await setUp(t, {
        limits: { callbackPrivate: true },
        callbacks: { attempts: 2 },
      });
      const dead = async () =>
        (await queue.inspect()).find(({ queue: of }) => of === "callbacks")?.dead;
      await post(CART, { headers: { "x-call-id": "lost", "x-callback-url": receiver.url } });

      await until(async () => (await dead())?.length === 1);
      t.like((await dead())?.[0], {
        callId: "lost",
        function: "alice-cart",
        ownerId: "function.alice-cart",
        attempts: 2,
        lastStatus: 500,
      });
      t.true(await queue.retryDead("lost"));

      await until(() => receiver.calls.length === 3);
      await until(async () => (await dead())?.length === 0);
    },
  );

  test.serial(
    "callbacks that wait count: the next is refused, and a body there is no room for is left out",
    async (t) => {
      const receiver = await listen(t, (_call, response) => void response.writeHead(503).end());
      const { post, until } = await setUp(t, {
        limits: { callbackPrivate: true, ownerPendingCalls: 2, ownerPendingBytes: 10 },
        callbacks: { firstDelayMs: 60_000, maxDelayMs: 60_000 },
        respond: (_call, response) => void response.end("eight ch"),
      });
      const ask = () => post(CART, { headers: { "x-callback-url": receiver.url } });
      for (const told of [1, 2]) {
        t.is((await ask()).status, 202);
        await until(() => receiver.calls.length === told);
      }

      const third = await ask();

      t.is(third.status, 429);
      const { message } = (await third.json()) as { message: string };
      t.regex(message, /^2 callbacks of function\.alice-cart are waiting, .*async_owner_calls/);
      t.deepEqual(
        receiver.calls.map(({ body, headers }) => [body, headers["x-body-left-out-bytes"]]),
        [
          ["eight ch", undefined],
          ["", "8"],
        ],
      );
      t.is((await post(CART)).status, 202, "calls without a callback go on");
    },
  );

  test.serial("a callback to a name that resolves to this machine is not made", async (t) => {
    const receiver = await listen(t);
    const { post, reaches, until, lines } = await setUp(t);
    const url = receiver.url.replace("127.0.0.1", "localhost");

    const response = await post(CART, { headers: { "x-call-id": "in", "x-callback-url": url } });

    t.is(response.status, 202);
    await reaches("in", "done");
    await until(() =>
      lines.some((line) => line.includes("callback-buried") && line.includes("private")),
    );
    t.is(receiver.calls.length, 0);
  });
}
