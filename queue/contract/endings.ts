import { jobIdOf } from "../stored-call.ts";
import { CART, type Contract } from "./contract.ts";

/** Calls that are cancelled, put back, newer than this platform, or under way when their store dies. */
export function testEndings({ test, setUp, openJobs, kill }: Contract): void {
  test.serial("a waiting call that is cancelled never runs", async (t) => {
    const { queue, post, cancel, calls, reaches, get } = await setUp(t, { started: false });
    await post(`${CART}/a`, { headers: { "x-call-id": "a" } });
    await post(`${CART}/b`, { headers: { "x-call-id": "b" } });

    t.is((await cancel("a")).status, 202);
    await queue.start();

    await reaches("b", "done");
    t.is(calls.length, 1);
    t.is((await get("/async-status/a")).status, 404);
    t.is((await cancel("a")).status, 404);
    t.is((await cancel("b")).status, 404);
  });

  test.serial("a running call that is cancelled is aborted and not tried again", async (t) => {
    let aborted = false;
    const { post, cancel, calls, reaches, status, until } = await setUp(t, {
      respond: (_call, response) => void response.once("close", () => (aborted = true)),
    });
    await post(CART, { headers: { "x-call-id": "run" } });
    await until(() => calls.length === 1);

    t.is((await cancel("run")).status, 202);

    await until(() => aborted);
    await reaches("run", "dead");
    t.like(await status("run"), { lastError: "cancelled" });
  });

  test.serial(
    "a call still running when the queue closes is put back without counting an attempt",
    async (t) => {
      const stuck = await setUp(t, { respond: () => {} });
      await stuck.post(CART, { headers: { "x-call-id": "put-back" }, body: "again" });
      await stuck.until(() => stuck.calls.length === 1);

      await stuck.queue.close(50);

      const { calls, reaches, status } = await setUp(t);
      await reaches("put-back", "done");
      t.is(calls[0]?.body, "again");
      t.like(await status("put-back"), { attempts: 1 });
    },
  );

  test.serial("a call that a newer version stored waits and is not dropped", async (t) => {
    const { queue, calls, until } = await setUp(t);
    const jobs = await openJobs(t);

    await jobs.add("alice-cart", { v: 2, callId: "tomorrow" }, { jobId: jobIdOf("tomorrow") });

    await until(async () => (await queue.inspect())[1]?.delayed.length === 1);
    t.is(calls.length, 0);
  });

  test.serial(
    "calls accepted before the server is killed all run, and calls made meanwhile are accepted",
    async (t) => {
      const { queue, post, calls, until } = await setUp(t, {
        started: false,
        limits: { publishTimeoutMs: 60_000 },
      });
      for (let nth = 0; nth < 20; nth++) await post(`${CART}/${nth}`);

      await kill();
      const meanwhile = await post(`${CART}/20`);
      await queue.start();

      t.is(meanwhile.status, 202);
      await until(() => new Set(calls.map(({ url }) => url)).size === 21);
      t.is(calls.length, 21);
    },
  );

  test.serial("a worker goes on when the server is killed under it", async (t) => {
    const { post, calls, until, reaches } = await setUp(t, {
      respond: async (_call, response, nth) => {
        if (nth === 1) await kill();
        response.end();
      },
    });

    await post(CART, { headers: { "x-call-id": "before" } });
    await until(() => calls.length >= 1);
    await post(CART, { headers: { "x-call-id": "after" } });

    await reaches("before", "done");
    await reaches("after", "done");
    t.true(calls.length >= 2);
  });
}
