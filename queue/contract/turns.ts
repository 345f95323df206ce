import { setTimeout as wait } from "node:timers/promises";
import { CART, type Contract } from "./contract.ts";

/** Owners take turns, and none fills the store. */
export function testTurns({ test, setUp }: Contract): void {
  test.serial("one owner's calls run in the order in which they were accepted", async (t) => {
    const { post, queue, calls, until } = await setUp(t, {
      invocations: { concurrency: 1 },
      started: false,
    });
    for (let nth = 0; nth < 20; nth++) await post(`${CART}/${nth}`);

    await queue.start();

    await until(() => calls.length === 20);
    t.deepEqual(
      calls.map(({ url }) => Number(url.split("/").at(-1))),
      Array.from({ length: 20 }, (_, nth) => nth),
    );
  });

  test.serial(
    "fifty calls of one owner delay another's first call by one call, across a restart",
    async (t) => {
      const first = await setUp(t, { invocations: { concurrency: 1 }, started: false });
      const as = (owner: string) => ({ headers: { "x-owner-id": owner } });
      for (let nth = 0; nth < 50; nth++) await first.post(CART, as("forge:1"));
      await first.queue.close(0);
      const { post, queue, calls, until } = await setUp(t, {
        invocations: { concurrency: 1 },
        started: false,
      });
      await post("/async-function/bob-cart", as("forge:2"));
      await post("/async-function/carol-cart", as("forge:3"));
      await post(CART, as("forge:1"));

      await queue.start();

      await until(() => calls.length === 53);
      const order = calls.map(({ url }) => url.split("/")[2]?.split("-")[0]);
      t.deepEqual(order.slice(0, 4), ["alice", "bob", "carol", "alice"]);
    },
  );

  test.serial("a call from another owner is next while a backlog runs", async (t) => {
    const { post, calls, until } = await setUp(t, {
      invocations: { concurrency: 1 },
      respond: async (_call, response) => {
        await wait(5);
        response.end();
      },
    });
    const as = (owner: string) => ({ headers: { "x-owner-id": owner } });
    for (let nth = 0; nth < 30; nth++) await post(CART, as("forge:1"));
    await until(() => calls.length >= 5);

    const before = calls.length;
    await post("/async-function/bob-cart", as("forge:2"));

    await until(() => calls.some(({ url }) => url.includes("bob")));
    const position = calls.findIndex(({ url }) => url.includes("bob"));
    t.true(position - before <= 3, `${position - before} calls went first`);
  });

  test.serial(
    "an owner's backlog is bounded, and other owners' is not touched by it",
    async (t) => {
      const { post, queue, until } = await setUp(t, {
        limits: { ownerPendingCalls: 2, ownerPendingBytes: 1_000 },
        started: false,
      });
      const as = (owner: string, body = "x") => ({ headers: { "x-owner-id": owner }, body });

      t.is((await post(CART, as("forge:1"))).status, 202);
      t.is((await post(CART, as("forge:1"))).status, 202);
      t.is((await post(CART, as("forge:1"))).status, 429);
      t.is((await post(CART, as("forge:2", "x".repeat(2_000)))).status, 429);
      t.is((await post(CART, as("forge:2"))).status, 202);
      await queue.start();

      await until(async () => (await post(CART, as("forge:1"))).status === 202);
    },
  );

  test.serial(
    "a call counts as waiting until it is done or dead, and again when it is retried",
    async (t) => {
      const { post, queue, reaches, until } = await setUp(t, {
        limits: { ownerPendingCalls: 1 },
        invocations: { attempts: 2, firstDelayMs: 100 },
        respond: (_call, response, nth) => void response.writeHead(nth <= 2 ? 500 : 200).end(),
      });
      const init = { headers: { "x-owner-id": "forge:9", "x-call-id": "counted" } };
      const again = () => post(CART, { headers: { "x-owner-id": "forge:9" } });

      await post(CART, init);
      await reaches("counted", "failed");
      t.is((await again()).status, 429);
      await reaches("counted", "dead");
      await until(async () => (await again()).status === 202);
      await until(async () => (await queue.inspect())[1]?.counts.waiting === 0);

      t.true(await queue.retryDead("counted"));
      await reaches("counted", "done");
      await until(async () => (await again()).status === 202);
    },
  );
}
